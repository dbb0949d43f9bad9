/**
 * Reads the data of server-sent events as their bytes pass (WHATWG HTML, section "Server-sent events"), in bounded memory.
 */

// Longer events are skipped: what they report is not known then.
const maxChars = 1 << 20

export class SseParser {
  private readonly decoder = new TextDecoder()
  /** The line that has begun, as far as it came. */
  private line = ""
  private data: string | undefined = undefined
  private isTooLong = false

  constructor(private readonly onData: (data: string) => void) {}

  push(bytes: Uint8Array): void {
    const text = this.decoder.decode(bytes, { stream: true })
    let start = 0
    for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", start)) {
      this.append(text.slice(start, end))
      this.endLine()
      start = end + 1
    }
    this.append(text.slice(start))
  }

  private append(text: string): void {
    if (this.line.length + text.length > maxChars) {
      this.isTooLong = true
      this.line = ""
    } else this.line += text
  }

  // Providers end lines with LF or CRLF; CR alone, which the format allows too, ends none here.
  private endLine(): void {
    const line = this.line.endsWith("\r") ? this.line.slice(0, -1) : this.line
    this.line = ""
    if (line === "") this.endEvent()
    else if (line.startsWith("data:")) this.addData(line.slice(line[5] === " " ? 6 : 5))
  }

  private addData(data: string): void {
    const whole = this.data === undefined ? data : `${this.data}\n${data}`
    if (whole.length > maxChars) this.isTooLong = true
    else this.data = whole
  }

  private endEvent(): void {
    const { data, isTooLong } = this
    this.data = undefined
    this.isTooLong = false
    if (data !== undefined && !isTooLong) this.onData(data)
  }
}
