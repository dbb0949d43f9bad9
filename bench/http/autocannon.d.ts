/**
 * What is used here of autocannon, which comes without types.
 */
declare module "autocannon" {
  interface Options {
    readonly url: string
    readonly method: string
    readonly headers: Readonly<Record<string, string>>
    readonly body?: string
    readonly connections: number
    /** Seconds. */
    readonly duration: number
    /** Milliseconds between two looks at whether the time is over. */
    readonly sampleInt: number
  }

  interface Result {
    readonly errors: number
    readonly non2xx: number
  }

  interface Run extends PromiseLike<Result> {
    /** Each response, and how long it took, in milliseconds. */
    on(event: "response", listener: (client: unknown, status: number, bytes: number, millis: number) => void): void
  }

  export default function autocannon(options: Options): Run
}
