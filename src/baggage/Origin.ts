/**
 * To which origins a run is sent: scheme, host and port as the URL parser reads them (WHATWG URL), so that two spellings of one
 * origin are one, and nothing else is.
 */
import { Either, Schema } from "effect"
import { quote } from "../schema/FieldText.js"

/**
 * An entry in a list of origins is not what was expected.
 *
 * @example
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { RunHttpClient } from "botanu-effect/platform"
 * import { Effect, Layer } from "effect"
 *
 * const client = RunHttpClient.layer({ propagateTo: ["billing"] }).pipe(Layer.provide(FetchHttpClient.layer))
 * const program = Effect.scoped(Layer.build(client)).pipe(
 *   Effect.catchTag("InvalidOrigin", (error: RunHttpClient.InvalidOrigin) => Effect.log(error.entry, error.expected))
 * )
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidOrigin extends Schema.TaggedError<InvalidOrigin>()("InvalidOrigin", {
  /** The entry as it stands in the list. */
  entry: Schema.String,
  /** What was expected of it. */
  expected: Schema.String
}) {
  override get message(): string {
    return `origin ${quote(this.entry)}: expected ${this.expected}`
  }
}

/** A set of origins. */
export interface Origins {
  /** Whether the origin of a URL is one of these. */
  readonly has: (url: URL) => boolean
}

/**
 * The origins of a list such as `["https://billing.internal", "http://127.0.0.1:8080", "https://*.internal.example"]`. `*.` stands
 * for subdomains at any depth, and not for the domain itself.
 */
export const fromEntries = (entries: ReadonlyArray<string>): Either.Either<Origins, InvalidOrigin> =>
  Either.map(Either.all(entries.map(keyOf)), (keys) => {
    const known = new Set(keys)
    return {
      has: (url) => {
        const host = hostOf(url)
        if (known.has(key(url, host))) return true
        for (let dot = host.indexOf(".", 1); dot !== -1; dot = host.indexOf(".", dot + 1)) {
          if (known.has(key(url, `${subdomains}${host.slice(dot + 1)}`))) return true
        }
        return false
      }
    }
  })

const subdomains = "*."

/** The parser leaves a port that is the scheme's own empty. */
const key = ({ port, protocol }: URL, host: string): string => `${protocol}${port}/${host}`

/** The host, without the dot of the root at its end. */
const hostOf = ({ hostname }: URL): string => (hostname.endsWith(".") ? hostname.slice(0, -1) : hostname)

// The parser would take more than this for a URL, and make an origin of it that nobody had in mind.
const entryPattern = /^(https?:\/\/)(\*\.)?([^\s/\\?#@*]+)\/?$/i

const keyOf = (entry: string): Either.Either<string, InvalidOrigin> => {
  const refuse = (expected: string) => Either.left(new InvalidOrigin({ entry: String(entry), expected }))
  if (typeof entry !== "string") return refuse("text")
  const [, scheme, wildcard, hostAndPort] = entryPattern.exec(entry) ?? []
  if (hostAndPort === undefined) return refuse(expectedOf(entry))
  const text = `${scheme}${hostAndPort}`
  const url = URL.canParse(text) ? new URL(text) : undefined
  const host = url && hostOf(url)
  if (url === undefined || host === undefined || host.includes("*") || host.split(".").includes("")) {
    return refuse("a valid host and port after the scheme")
  }
  if (wildcard === undefined) return Either.right(key(url, host))
  return isAddress(host) ? refuse('the name of a domain after "*."') : Either.right(key(url, `${subdomains}${host}`))
}

const expectedOf = (entry: string): string => {
  if (!/^https?:\/\//i.test(entry)) return '"https://" or "http://", and then the host'
  if (entry.includes("*")) return '"*." at most once, for the first label of the host'
  return "a scheme, a host and at most a port, such as https://billing.internal:8443"
}

/** Whether a host is an IP address; the parser writes every IPv4 address in one way. */
const isAddress = (host: string): boolean => host.startsWith("[") || /^\d+(\.\d+){3}$/.test(host)
