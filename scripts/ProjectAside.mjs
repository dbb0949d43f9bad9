/**
 * Copies of the project in folders of temporary files that stay, for tools and versions that the project does not depend on.
 */
import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, relative } from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("..", import.meta.url))

const notSources = ["node_modules", "dist", ".git", "bench/.build"]

/** Makes the folder hold the project as it is now. What is named in `kept`, and the installed packages, stay as they are there. */
export const copyProject = (folder, kept = []) => {
  const left = new Set([...notSources, ...kept])
  for (const name of readdirSync(folder)) {
    if (!left.has(name)) rmSync(join(folder, name), { recursive: true, force: true })
  }
  cpSync(root, folder, { recursive: true, filter: (source) => !left.has(relative(root, source)) })
}

/** The folder of the copy that `projectWith` makes. */
export const folderWith = (name, packages) => {
  const key = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .update(packages.join())
  return join(tmpdir(), `botanu-${name}-${key.digest("hex").slice(0, 12)}`)
}

/** Makes a copy of the project with what its lock file names, and with `packages` beside. They are installed once. */
export const projectWith = (name, packages) => {
  const folder = folderWith(name, packages)
  mkdirSync(folder, { recursive: true })
  copyProject(folder)
  installOnce(folder, ["--no-save", ...packages])
  return folder
}

/** Runs `npm install` in the folder, unless that went well before. */
export const installOnce = (folder, args) => {
  const complete = join(folder, "node_modules/.complete")
  if (existsSync(complete)) return
  rmSync(join(folder, "node_modules"), { recursive: true, force: true })
  const options = ["--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"]
  execFileSync("npm", ["install", ...options, ...args], { cwd: folder, stdio: ["ignore", "ignore", "inherit"] })
  writeFileSync(complete, "")
}
