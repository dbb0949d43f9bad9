/**
 * Lines that wait to be written. They are kept as bytes: records that are kept as objects until they are written cost the
 * garbage collector more than to encode them.
 */
import { DateTime } from "effect"
import type { Run } from "../run/Run.js"
import { encode, type LedgerLine, lineVersion } from "./LedgerLine.js"

/** Lines that are written together. */
export interface LineBatch {
  /** Each with its end. */
  readonly bytes: Uint8Array
  readonly count: number
  /** How many lines were lost, by what they say. */
  readonly lost: number
}

/** The lines of a batch, without their ends. */
export const textsOf = ({ bytes }: LineBatch): Array<string> => {
  const texts = decoder.decode(bytes).split("\n")
  texts.pop()
  return texts
}

export class LineQueue {
  private bytes: Uint8Array = new Uint8Array(initialBytes)
  private length = 0
  private lines = 0
  /** Runs that have started. What is over when lines are written needs no line for its start. */
  private readonly starts = new Map<string, Run>()
  /** Lines that were lost and of which no line says so, and those of which a line says so that waits. */
  private lostLines = 0
  private lostInLines = 0
  /** Bytes that were written, to be used again. */
  private spare: Uint8Array | undefined

  /** `maxLines` is how many may wait. */
  constructor(private readonly maxLines: number) {}

  /** How many lines wait, without those that are being written. */
  get count(): number {
    return this.lines + this.starts.size
  }

  /** How many lines were lost, and it is not written. */
  get lost(): number {
    return this.lostLines + this.lostInLines
  }

  /** Takes a line, or counts it as lost where the queue is full. */
  append(line: LedgerLine): void {
    if (line.type === "completed") this.starts.delete(line.completed.run.runId)
    if (this.isFull) this.lostLines += 1
    else if (line.type === "started") this.starts.set(line.run.runId, line.run)
    else this.add(encode(line))
  }

  /** The same for a line that is encoded. */
  appendText(text: string): void {
    if (this.isFull) this.lostLines += 1
    else this.add(text)
  }

  /** Takes all lines out, with one that says how many were lost before. `undefined` where there is none. */
  take(now: number): LineBatch | undefined {
    for (const run of this.starts.values()) this.add(encode({ v: lineVersion, type: "started", run }))
    this.starts.clear()
    if (this.lostLines > 0) {
      this.add(encode({ v: lineVersion, type: "lost", count: this.lostLines, at: DateTime.unsafeMake(now) }))
    }
    if (this.lines === 0) return undefined
    const batch = { bytes: this.bytes.subarray(0, this.length), count: this.lines, lost: this.lost }
    this.lostLines = 0
    this.lostInLines = 0
    this.bytes = this.spare ?? new Uint8Array(initialBytes)
    this.spare = undefined
    this.length = 0
    this.lines = 0
    return batch
  }

  /** The bytes of a batch are not needed any more. */
  release({ bytes }: LineBatch): void {
    if (bytes.buffer.byteLength <= maxSpareBytes) this.spare = new Uint8Array(bytes.buffer)
  }

  /** Puts a batch before what came meanwhile. Of that, the latest lines are lost where there is no room for all. */
  putBack({ bytes, count, lost }: LineBatch): void {
    let length = this.length
    for (; this.lines > 0 && count + this.count > this.maxLines; this.lines -= 1) {
      length = this.bytes.lastIndexOf(endOfLine, length - 2) + 1
      this.lostLines += 1
    }
    const later = this.bytes.subarray(0, length)
    this.bytes = new Uint8Array(Math.max(initialBytes, bytes.length + length))
    this.bytes.set(bytes)
    this.bytes.set(later, bytes.length)
    this.length = bytes.length + length
    this.lines += count
    this.lostInLines += lost
  }

  private get isFull(): boolean {
    return this.count >= this.maxLines
  }

  private add(text: string): void {
    let { read, written } = encoder.encodeInto(text, this.bytes.subarray(this.length))
    if (read < text.length || this.length + written === this.bytes.length) {
      // A character takes 3 bytes at most for each unit of its text.
      this.grow(this.length + 3 * text.length + 1)
      ;({ read, written } = encoder.encodeInto(text, this.bytes.subarray(this.length)))
    }
    this.length += written
    this.bytes[this.length] = endOfLine
    this.length += 1
    this.lines += 1
  }

  private grow(least: number): void {
    const grown = new Uint8Array(Math.max(least, 2 * this.bytes.length))
    grown.set(this.bytes.subarray(0, this.length))
    this.bytes = grown
  }
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const endOfLine = 10
const initialBytes = 64 * 1024
const maxSpareBytes = 4 * 1024 * 1024
