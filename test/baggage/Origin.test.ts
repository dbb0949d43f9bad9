import { describe, expect, it } from "@effect/vitest"
import { Either, FastCheck } from "effect"
import { fromEntries, InvalidOrigin } from "../../src/baggage/Origin.js"

const has = (entries: ReadonlyArray<string>, url: string): boolean =>
  Either.getOrThrow(fromEntries(entries)).has(new URL(url))

describe("an origin", () => {
  it.each([
    ["https://billing.internal", "https://billing.internal/charge?x=1#y"],
    ["https://billing.internal/", "https://billing.internal"],
    ["https://billing.internal:443", "https://billing.internal"],
    ["https://billing.internal", "https://billing.internal:443/"],
    ["http://billing.internal:80", "http://billing.internal"],
    ["http://127.0.0.1:8080", "http://127.0.0.1:8080/"],
    ["HTTPS://Billing.INTERNAL", "https://billing.internal"],
    ["https://billing.internal", "hTTps://BILLING.internal"],
    ["https://billing.internal.", "https://billing.internal"],
    ["https://billing.internal", "https://billing.internal./"],
    ["https://billing.internal", "https://user:secret@billing.internal/"],
    ["https://billing.internal", "https:\\\\billing.internal\\charge"],
    ["https://bücher.example", "https://xn--bcher-kva.example"],
    ["https://xn--bcher-kva.example", "https://BÜCHER.example"],
    ["https://billing.internal", "https://billing。internal"],
    ["http://[::1]:8080", "http://[0:0:0:0:0:0:0:1]:8080"],
    ["http://127.0.0.1", "http://127.1"],
    ["http://127.0.0.1", "http://0x7f000001"],
    ["http://2130706433", "http://127.0.0.1."]
  ])("%s is that of %s", (entry, url) => {
    expect(has([entry], url)).toBe(true)
    expect(has(["https://other.example", entry], url)).toBe(true)
  })

  it.each([
    ["https://billing.internal", "http://billing.internal"],
    ["https://billing.internal", "https://billing.internal:8443"],
    ["https://billing.internal:8443", "https://billing.internal"],
    ["http://billing.internal:443", "https://billing.internal"],
    ["https://billing.internal", "https://billing.internal.evil.example"],
    ["https://billing.internal", "https://evil-billing.internal"],
    ["https://billing.internal", "https://api.billing.internal"],
    ["https://billing.internal", "https://billing.internal.."],
    ["https://billing.internal", "https://billing.internal@evil.example"],
    ["https://billing.internal", "https://billing.internal:443@evil.example/"],
    ["https://billing.internal", "https://evil.example\\@billing.internal"],
    ["https://billing.internal", "https://evil.example/https://billing.internal"],
    ["https://billing.internal", "https://evil.example?@billing.internal"],
    ["https://billing.internal", "https://evil.example#@billing.internal"],
    ["https://billing.internal", "https://billing%2einternal.evil.example"],
    ["https://billing.internal", "https://billing-internal"],
    ["https://billing.internal", "blob:https://billing.internal/1"],
    ["https://billing.internal", "data:text/plain,https://billing.internal"],
    ["https://example.com", "https://exаmple.com"],
    ["http://127.0.0.1", "http://[::ffff:127.0.0.1]"],
    ["http://127.0.0.1", "http://localhost"],
    ["http://127.0.0.1", "http://127.0.0.10"],
    ["http://[::1]", "http://[::2]"]
  ])("%s is not that of %s", (entry, url) => {
    expect(has([entry], url)).toBe(false)
  })

  it("is nobody's in an empty list", () => {
    expect(has([], "https://billing.internal")).toBe(false)
  })
})

describe("an origin of subdomains", () => {
  const entry = "https://*.internal.example"

  it.each([
    "https://billing.internal.example",
    "https://a.b.c.internal.example:443/x",
    "https://BILLING.Internal.Example.",
    "https://*.internal.example"
  ])("has %s", (url) => {
    expect(has([entry], url)).toBe(true)
  })

  it.each([
    "https://internal.example",
    "https://internal.example.",
    "https://.internal.example",
    "https://evilinternal.example",
    "https://xyinternal.example",
    "https://internal.example.evil.example",
    "https://billing.internal.example.evil.example",
    "https://billing.internal.example@evil.example",
    "http://billing.internal.example",
    "https://billing.internal.example:8443"
  ])("does not have %s", (url) => {
    expect(has([entry], url)).toBe(false)
  })

  it("may be of a domain that begins as an address does", () => {
    expect(has(["https://*.1.2.3.4.example"], "https://a.1.2.3.4.example")).toBe(true)
  })

  it("keeps to its port", () => {
    expect(has(["http://*.internal.example:8080"], "http://a.internal.example:8080")).toBe(true)
    expect(has(["http://*.internal.example:8080"], "http://a.internal.example")).toBe(false)
  })
})

describe("an entry that is no origin", () => {
  it.each([
    "billing.internal",
    "//billing.internal",
    "",
    "*",
    "https",
    "ftp://billing.internal",
    "ws://billing.internal",
    "javascript:https://billing.internal",
    "https:billing.internal",
    "https:/billing.internal",
    "https:\\\\billing.internal"
  ])("%j is asked for its scheme", (entry) => {
    expect(Either.getOrThrow(Either.flip(fromEntries([entry]))).message).toBe(
      `origin ${JSON.stringify(entry)}: expected "https://" or "http://", and then the host`
    )
  })

  it.each([
    "https://billing.internal/api",
    "https://billing.internal//",
    "https://billing.internal/.",
    "https://billing.internal?x",
    "https://billing.internal?",
    "https://billing.internal#",
    "https://billing.internal\\",
    "https://user@billing.internal",
    "https://@billing.internal",
    "https://user:secret@billing.internal",
    "https://",
    "https:///",
    "https://billing .internal",
    "https://billing.internal\n",
    "https://billing\t.internal",
    "https://billing.internal "
  ])("%j is more than scheme, host and port, or less", (entry) => {
    expect(Either.getOrThrow(Either.flip(fromEntries([entry]))).expected).toBe(
      "a scheme, a host and at most a port, such as https://billing.internal:8443"
    )
  })

  it.each([
    "https://*",
    "https://*.*.example",
    "https://a.*.example",
    "https://a*.example",
    "https://*a.example",
    "https://billing.*",
    "https://*:8080",
    "https://billing.internal:*",
    "http://*",
    "HTTP://*"
  ])("%j has its star elsewhere", (entry) => {
    expect(Either.getOrThrow(Either.flip(fromEntries([entry]))).expected).toBe(
      '"*." at most once, for the first label of the host'
    )
  })

  it.each([
    "https://*.127.0.0.1",
    "https://*.10.20.30.40",
    "https://*.0.1",
    "https://*.0x7f000001",
    "https://*.[::1]",
    "https://*.[::1]:80"
  ])("%j has no subdomains", (entry) => {
    expect(Either.getOrThrow(Either.flip(fromEntries([entry]))).expected).toBe('the name of a domain after "*."')
  })

  it.each([
    "https://billing.internal:99999",
    "https://billing.internal:x",
    "https://[::1",
    "https://[::1%25eth0]",
    "https://billing..internal",
    "https://.internal",
    "https://*..internal",
    "https://*..",
    "https://.",
    "https://%",
    "https://%2A.internal",
    "https://＊.internal",
    "https://a%2Fb",
    "https://xn--a.example"
  ])("%j has no valid host and port", (entry) => {
    expect(Either.getOrThrow(Either.flip(fromEntries([entry]))).expected).toBe("a valid host and port after the scheme")
  })

  it("is named, in a list where others are right, escaped and not at full length", () => {
    const refused = fromEntries(["https://billing.internal", `billing\r\n${"x".repeat(100)}`, "https://*"])
    const error = Either.getOrThrow(Either.flip(refused))
    expect(error).toBeInstanceOf(InvalidOrigin)
    expect(error._tag).toBe("InvalidOrigin")
    expect(error.message).toBe(
      `origin "billing\\r\\n${"x".repeat(54)}…": expected "https://" or "http://", and then the host`
    )
  })

  it("may be no text at all, in a program without types", () => {
    const error = Either.getOrThrow(Either.flip(fromEntries([undefined as unknown as string])))
    expect(error.message).toBe('origin "undefined": expected text')
  })
})

const label = FastCheck.stringMatching(/^[a-z][a-z0-9]{0,8}$/)
const host = FastCheck.array(label, { minLength: 1, maxLength: 5 }).map((labels) => labels.join("."))
const port = FastCheck.option(FastCheck.integer({ min: 1, max: 65_535 }), { nil: undefined })
const scheme = FastCheck.constantFrom("http", "https")

interface Site {
  readonly scheme: string
  readonly host: string
  readonly port: number | undefined
}

const site: FastCheck.Arbitrary<Site> = FastCheck.record({ scheme, host, port })
const portOf = ({ port, scheme }: Site): number => port ?? (scheme === "https" ? 443 : 80)
const text = ({ host, port, scheme }: Site): string => `${scheme}://${host}${port === undefined ? "" : `:${port}`}`

describe("whatever the names are,", () => {
  it.prop("an origin has its own URLs, however they are spelled", [site, FastCheck.boolean()], ([one, inCapitals]) => {
    const spelled = text({ ...one, port: portOf(one), host: `${inCapitals ? one.host.toUpperCase() : one.host}.` })
    expect(has([text(one)], `${spelled}/path`)).toBe(true)
    expect(has([spelled], text(one))).toBe(true)
  })

  it.prop("it has no other's", [site, site], ([one, other]) => {
    const same = one.scheme === other.scheme && one.host === other.host && portOf(one) === portOf(other)
    expect(has([text(one)], text(other))).toBe(same)
  })

  it.prop("it has none that only looks like its own", [site, host, FastCheck.webPath()], ([one, evil, path]) => {
    FastCheck.pre(evil !== one.host)
    const { host, scheme } = one
    const lookalikes = [
      `${scheme}://${host}.${evil}${path}`,
      `${scheme}://${evil}.${host}${path}`,
      `${scheme}://${host}-${evil}${path}`,
      `${scheme}://${host}@${evil}${path}`,
      `${scheme}://${host}:80@${evil}${path}`,
      `${scheme}://${host}%40@${evil}${path}`,
      `${scheme}://${evil}/@${host}${path}`,
      `${scheme}://${evil}\\@${host}${path}`,
      `${scheme}://${evil}?@${host}${path}`,
      `${scheme}://${evil}#@${host}${path}`
    ]
    for (const url of lookalikes) expect(has([`${scheme}://${host}`], url)).toBe(false)
  })

  it.prop("subdomains are those whose name ends in the domain's, after a dot", [host, host], ([domain, name]) => {
    const entries = [`https://*.${domain}`]
    expect(has(entries, `https://${name}.${domain}`)).toBe(true)
    expect(has(entries, `https://${domain}`)).toBe(false)
    expect(has(entries, `https://${name}`)).toBe(name.endsWith(`.${domain}`))
    expect(has(entries, `https://x${domain}`)).toBe(false)
  })

  it.prop("a URL that is more than an origin is refused", [FastCheck.webUrl()], ([url]) => {
    const entries = fromEntries([url])
    expect(Either.isRight(entries)).toBe(/^https?:\/\/[^/?#]+\/?$/.test(url))
    if (Either.isRight(entries)) expect(entries.right.has(new URL(url))).toBe(true)
  })
})
