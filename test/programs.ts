/**
 * Programs from our pages and docstrings, compiled and run as files of the project.
 */
import { execFile } from "node:child_process"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { bundle } from "./bundle.js"

const root = fileURLToPath(new URL("..", import.meta.url))

/** How long a compiler or a program may take on a slow machine. */
export const patienceMillis = 120_000

export interface Program {
  readonly file: string
  readonly code: string
}

/** Programs in a folder of their own. */
export interface Programs {
  /** Fails with what the compiler prints. */
  readonly compile: () => Promise<void>
  /** Runs one program, or several in one process. Fails with what it prints where it does not end well. */
  readonly run: (...files: ReadonlyArray<string>) => Promise<{ readonly stdout: string; readonly stderr: string }>
  readonly remove: () => void
}

/** Writes programs into `test/<folder>`. */
export const writePrograms = (folder: string, programs: ReadonlyArray<Program>): Programs => {
  // Within the project, so that programs find what they import. Compilers look into no folder whose name begins with a dot.
  const path = join(root, "test", folder)
  // What programs leave behind in it goes with them.
  const temporary = join(path, "tmp")
  mkdirSync(temporary, { recursive: true })
  for (const { code, file } of programs) writeFileSync(join(path, file), code)
  const files = programs.map(({ file }) => file)
  const compilerOptions = { noUnusedLocals: false }
  writeFileSync(
    join(path, "tsconfig.json"),
    JSON.stringify({ extends: "../../tsconfig.json", compilerOptions, include: [], files })
  )
  let whenBundled: Promise<unknown> | undefined
  const bundled = () => {
    whenBundled ??= bundle(
      files.map((file) => join(path, file)),
      join(path, "built")
    )
    return whenBundled
  }
  return {
    compile: async () => {
      await node({ cwd: root }, "node_modules/typescript/bin/tsc", "--noEmit", "-p", path)
    },
    run: async (...files) => {
      await bundled()
      const built = files.map((file) => join(path, "built", file.replace(/\.ts$/, ".mjs")))
      return node({ cwd: path, env: { ...process.env, TMPDIR: temporary } }, ...importsOf(built))
    },
    remove: () => rmSync(path, { recursive: true, force: true })
  }
}

const importsOf = ([first, ...others]: ReadonlyArray<string>): ReadonlyArray<string> =>
  first === undefined ? [] : [...others.flatMap((file) => ["--import", file]), first]

const node = async (
  options: { readonly cwd: string; readonly env?: NodeJS.ProcessEnv },
  ...args: ReadonlyArray<string>
) => {
  try {
    return await promisify(execFile)(process.execPath, args, { ...options, timeout: patienceMillis })
  } catch (error) {
    const { message, stderr, stdout } = error as Error & { readonly stderr: string; readonly stdout: string }
    throw new Error(`${stdout}${stderr}` || message)
  }
}
