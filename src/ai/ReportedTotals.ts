/**
 * What the numbers of an answer decide by themselves: whether a part of its tokens is inside of a total or beside it.
 */

/** Where a provider counts a part, where the numbers leave it open. */
export type Placement = "inside" | "beside" | "unknown"

/** A part of the tokens, such as those of reasoning. */
export interface ReportedPart {
  readonly amount: number
  readonly side: "input" | "output"
  readonly placement: Placement
}

/** All tokens of an answer, its parts included. */
export interface Totals {
  readonly input: number
  readonly output: number
}

/**
 * The totals that agree with the answer. A part is inside of a total that is not smaller, or beside it; where the answer has a
 * total of all tokens, the parts that are beside are exactly what that is more than input and output. Where several readings
 * agree, the placement of the provider decides; `undefined` where none agrees, or where the placement is not known.
 */
export const totalsOf = (
  reported: Totals,
  total: number | undefined,
  parts: ReadonlyArray<ReportedPart>
): Totals | undefined => {
  const present = parts.filter(({ amount }) => amount > 0)
  if (present.length === 0) return !total || reported.input + reported.output === total ? reported : undefined
  const readings = readingsOf(reported, present).filter(
    ({ input, output }) => total === undefined || total === 0 || input + output === total
  )
  const [first, ...others] = readings
  if (first === undefined) return undefined
  if (others.every((other) => other.input === first.input && other.output === first.output)) return first
  return readings.find(({ placements }) =>
    placements.every((placement, index) => placement === present[index]?.placement)
  )
}

interface Reading extends Totals {
  readonly placements: ReadonlyArray<Placement>
}

const readingsOf = (reported: Totals, parts: ReadonlyArray<ReportedPart>): ReadonlyArray<Reading> => {
  let readings: ReadonlyArray<Reading> = [{ ...reported, placements: [] }]
  for (const { amount, side } of parts) {
    readings = readings.flatMap((reading) => {
      const beside = {
        ...reading,
        [side]: reading[side] + amount,
        placements: [...reading.placements, "beside" as const]
      }
      // A part that is more than the total that the answer has is not inside of it.
      if (amount > reported[side]) return [beside]
      return [{ ...reading, placements: [...reading.placements, "inside" as const] }, beside]
    })
  }
  return readings
}
