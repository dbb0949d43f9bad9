import { readdir } from "node:fs/promises"
import { posix, relative } from "node:path"

// Prints each file of the package that can be imported by its path, with and without its extension.
const root = "node_modules/botanu-effect"
for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue
  const path = relative(root, posix.join(entry.parentPath, entry.name))
  for (const specifier of [path, path.replace(/(?:\.d)?\.[^./]+$/, ""), posix.dirname(path)]) {
    try {
      import.meta.resolve(posix.join("botanu-effect", specifier))
      console.log(specifier)
    } catch (error) {
      if (error.code !== "ERR_PACKAGE_PATH_NOT_EXPORTED") throw error
    }
  }
}
