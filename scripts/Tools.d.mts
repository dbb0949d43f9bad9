/** Programs that are not installed, the Debian package of each, and the tests that are left out without it. */
export const missingTools: ReadonlyArray<{
  readonly program: string
  readonly package: string
  readonly what: string
  readonly files: ReadonlyArray<string>
}>
