/**
 * Projects outside of this repository, which install the package as users do. They need `npm run build` first, and the package
 * registry.
 */
import { execFile } from "node:child_process"
import { cp, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { vi } from "vitest"
import manifest from "../../package.json" with { type: "json" }

const patienceMillis = 120_000
vi.setConfig({ testTimeout: 5 * patienceMillis, hookTimeout: 3 * patienceMillis })

/** The folder of this repository. */
export const root = fileURLToPath(new URL("../..", import.meta.url))

/** A folder of its own with the programs of `consumer/`, and the package that its user installs. */
export interface Project {
  readonly folder: string
  readonly tarball: string
}

/** A project that installs this tarball, or one that is packed for it. */
export const makeProject = async (tarball?: string): Promise<Project> => {
  const folder = await mkdtemp(join(tmpdir(), "botanu-consumer-"))
  await cp(join(root, "test/package/consumer"), folder, { recursive: true })
  return { folder, tarball: tarball ?? (await pack(folder)) }
}

const pack = async (folder: string): Promise<string> => {
  await run(root, "npm", "pack", "--ignore-scripts", "--pack-destination", folder)
  return join(folder, `${manifest.name}-${manifest.version}.tgz`)
}

export const remove = ({ folder }: Project): Promise<void> => rm(folder, { recursive: true, force: true })

const npmInstall = ["npm", "install", "--prefer-offline", "--no-audit", "--no-fund"]

/** Installs packages as a page names them: this one from its tarball. */
export const install = (
  project: Project,
  packages: ReadonlyArray<string>,
  [program = "", ...args]: ReadonlyArray<string> = npmInstall
): Promise<string> => {
  const named = packages.map((name) => (name === manifest.name ? project.tarball : name))
  return run(project.folder, program, ...args, ...named)
}

/** A program of a package that is installed. */
export const bin = (name: string, folder = root): string => join(folder, "node_modules/.bin", name)

/** What a command prints on its standard output. Fails with all that it prints. */
export const run = async (folder: string, command: string, ...args: ReadonlyArray<string>): Promise<string> => {
  try {
    const { stdout } = await promisify(execFile)(command, args, { cwd: folder, timeout: patienceMillis })
    return stdout
  } catch (error) {
    const { message, stdout } = error as Error & { readonly stdout: string }
    throw new Error(`${message}\n${stdout}`)
  }
}
