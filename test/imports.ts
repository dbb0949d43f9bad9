/**
 * What the files of a TypeScript project import from each other and from packages.
 */
import { readdirSync, readFileSync } from "node:fs"
import { posix } from "node:path"
import ts from "typescript"

/** One import: of a file (its path below the root) or of a package (its specifier). */
export interface Import {
  readonly from: string
  readonly to: string
  readonly isFile: boolean
  /** Nothing of it is left at run time. */
  readonly isTypeOnly: boolean
}

/** All imports of the files in a folder; paths are relative to it. */
export const importsIn = (root: string): ReadonlyArray<Import> =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => posix.relative(root, posix.join(entry.parentPath, entry.name)))
    .sort()
    .flatMap((file) => importsOf(file, readFileSync(posix.join(root, file), "utf8")))

/** The imports of one file. */
export const importsOf = (file: string, text: string): ReadonlyArray<Import> => {
  const imports: Array<Import> = []
  const add = (specifier: ts.Node | undefined, isTypeOnly: boolean): void => {
    if (specifier === undefined || !ts.isStringLiteralLike(specifier)) return
    const isFile = specifier.text.startsWith(".")
    const to = isFile
      ? posix.join(posix.dirname(file), specifier.text).replace(/\.js$/, ".ts")
      : packageOf(specifier.text)
    imports.push({ from: file, to, isFile, isTypeOnly })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, node.importClause?.isTypeOnly ?? false)
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly)
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true)
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0], false)
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true))
  return imports
}

/** `@scope/name/path` is of `@scope/name`. */
const packageOf = (specifier: string): string =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/")

/** One shortest circle through each node that is in one, as the nodes along it. */
export const circlesIn = (
  edges: Iterable<readonly [from: string, to: string]>
): ReadonlyArray<ReadonlyArray<string>> => {
  const next = new Map<string, Set<string>>()
  for (const [from, to] of edges) next.set(from, (next.get(from) ?? new Set()).add(to))
  const circles = new Map<string, ReadonlyArray<string>>()
  for (const start of next.keys()) {
    const circle = circleThrough(start, next)
    if (circle === undefined) continue
    // The same circle is found from each of its nodes.
    const nodes = Array.from(circle).sort().join()
    if (!circles.has(nodes)) circles.set(nodes, circle)
  }
  return Array.from(circles.values())
}

const circleThrough = (
  start: string,
  next: ReadonlyMap<string, ReadonlySet<string>>
): ReadonlyArray<string> | undefined => {
  const seen = new Set<string>()
  let paths: ReadonlyArray<ReadonlyArray<string>> = [[start]]
  while (paths.length > 0) {
    const longer: Array<ReadonlyArray<string>> = []
    for (const path of paths) {
      for (const node of next.get(path[path.length - 1] ?? start) ?? []) {
        if (node === start) return path
        if (seen.has(node)) continue
        seen.add(node)
        longer.push([...path, node])
      }
    }
    paths = longer
  }
  return undefined
}

/** All that is imported at run time, directly or through other files, when `file` is. */
export const loadedWith = (file: string, imports: ReadonlyArray<Import>): ReadonlySet<string> => {
  const loaded = new Set<string>([file])
  for (const current of loaded) {
    for (const { from, isTypeOnly, to } of imports) if (from === current && !isTypeOnly) loaded.add(to)
  }
  return loaded
}
