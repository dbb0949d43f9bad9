/**
 * Programs as plain JavaScript, with our sources and Effect in it. A process that runs one starts several times faster than one
 * that compiles as it loads.
 */
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"
import { build, type Plugin } from "esbuild"

const root = fileURLToPath(new URL("..", import.meta.url))

/** The entry points by their public names, as users import them. */
const entryPoints: Plugin = {
  name: "entry points",
  setup: ({ onResolve }) => {
    onResolve({ filter: /^botanu-effect(\/|$)/ }, ({ path }) => ({
      path: join(root, "src", path.replace(/^botanu-effect\/?/, ""), "index.ts")
    }))
    // There is one copy of Effect, so all that import it are in the bundle. Other packages are left where they are.
    onResolve({ filter: /^[^./]/ }, ({ kind, path }) =>
      kind === "entry-point" || /^(effect|@effect)(\/|$)/.test(path) ? undefined : { path, external: true }
    )
  }
}

/** Bundles the programs into a folder within the project, where they find the packages. */
export const bundle = (files: ReadonlyArray<string>, folder: string): Promise<unknown> =>
  build({
    entryPoints: [...files],
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    logLevel: "error",
    plugins: [entryPoints],
    // What Effect's packages have in CommonJS may ask for Node's modules.
    banner: {
      js: `import { createRequire as __createRequire } from "node:module"\nconst require = __createRequire(import.meta.url)`
    }
  })

/** Bundles a program for the processes of a test, and gives the file to run. */
export const processProgram = async (program: URL): Promise<string> => {
  const file = fileURLToPath(program)
  const folder = join(root, "node_modules", ".programs", `${basename(file, ".ts")}-${process.pid}`)
  await bundle([file], folder)
  return join(folder, basename(file).replace(/\.ts$/, ".mjs"))
}
