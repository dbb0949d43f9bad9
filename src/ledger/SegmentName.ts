/**
 * How segments are named.
 */

/** The name of a segment. `writer` is unique to a process, so that processes never write to one file. */
export const nameOf = (writer: string, number: number): string => `${writer}-${number}.jsonl`

/** The name of a file that is a segment. Its first group is the writer. */
export const segmentName = /^([\w.-]+?)(?:-\d+)?\.jsonl$/
