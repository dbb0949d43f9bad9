/**
 * Bundles the page into a directory: by default the one from which the command serves it.
 */
import { copyFile, mkdir } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { build as bundle } from "esbuild"

const here = fileURLToPath(new URL(".", import.meta.url))

/** Writes `page.js`, `page.css`, `index.html` and `icon.svg` to the directory. */
export const build = async (directory) => {
  await mkdir(directory, { recursive: true })
  await bundle({
    entryPoints: { page: join(here, "main.tsx") },
    outdir: directory,
    bundle: true,
    minify: true,
    format: "esm",
    target: ["chrome111", "firefox113", "safari16.4"],
    jsx: "automatic",
    jsxImportSource: "preact",
    tsconfig: fileURLToPath(new URL("../../tsconfig.json", import.meta.url)),
    legalComments: "none",
    logLevel: "warning"
  })
  for (const name of ["index.html", "icon.svg"]) await copyFile(join(here, name), join(directory, name))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await build(fileURLToPath(new URL("../dist/page/", import.meta.url)))
}
