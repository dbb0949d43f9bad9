/**
 * The `baggage` header of an outgoing request, on which others may have put members too: those that speak of a run are ours
 * alone to send, all others go out as they were written.
 */
import { keyPrefix, maxHeaderBytes, maxHeaderMembers } from "../wire/Wire.js"

/** The header of a run, and after it the members that others put on the request, as far as W3C Baggage's limits allow. */
export const withRun = (run: string, header: string): string => {
  if (header === "") return run
  const members = run.split(",")
  const known = new Set(members)
  let bytes = run.length
  for (const member of foreignMembers(header)) {
    const text = member.trim()
    const size = text.length + 1
    // What came in with the run may stand in both.
    if (text === "" || known.has(text) || bytes + size > maxHeaderBytes) continue
    if (members.length === maxHeaderMembers) break
    members.push(text)
    bytes += size
  }
  return members.join(",")
}

/** What others put into the header, without what speaks of a run. */
export const withoutRun = (header: string): string => foreignMembers(header).join(",").trim()

const foreignMembers = (header: string): ReadonlyArray<string> =>
  header.split(",").filter((member) => !speaksOfRun(member))

/** Whether anyone could take a member for one of a run: there are readers that decode keys and fold their case. */
const speaksOfRun = (member: string): boolean => {
  const key = /^[^=;]*/.exec(member)?.[0] ?? ""
  const decoded = key.replace(/%([0-9a-f]{2})/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
  return decoded
    .replace(/^[\s+]+/, "")
    .toLowerCase()
    .startsWith(keyPrefix)
}
