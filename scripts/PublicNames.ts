/**
 * What the package exports: every name that a user can import, with its docstring.
 */
import { readFileSync } from "node:fs"
import { relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import ts from "typescript"

export const root = fileURLToPath(new URL("..", import.meta.url))

/** A docstring. */
export interface Docs {
  readonly description: string
  /** The code of each `@example`. */
  readonly examples: ReadonlyArray<string>
  readonly since: string | undefined
  readonly category: string | undefined
}

/** A property or method that a user can read or must give. */
export interface PublicMember {
  readonly name: string
  readonly docs: Docs
}

/** A name that a user can import, or reach through a namespace or as a static of a class. */
export interface PublicName {
  /** Such as `botanu-effect/platform`. */
  readonly entry: string
  /** The namespaces and classes that it is in: `["RunHttpClient"]`; empty for what the entry point itself exports. */
  readonly within: ReadonlyArray<string>
  readonly name: string
  readonly isStatic: boolean
  /** Whether there is something at run time. */
  readonly isValue: boolean
  /** Where it is declared; the same declaration may have several public names. */
  readonly declaration: { readonly file: string; readonly name: string }
  readonly docs: Docs
  readonly members: ReadonlyArray<PublicMember>
}

/** How a name is written: `botanu-effect/platform RunHttpClient.layer`. */
export const fullName = ({ entry, name, within }: PublicName): string => `${entry} ${[...within, name].join(".")}`

/** The sources, as the package is built from them. */
export const makeProgram = (): ts.Program => {
  const host = { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => {} }
  const config = ts.getParsedCommandLineOfConfigFile(resolve(root, "tsconfig.build.json"), {}, host)
  if (config === undefined) throw new Error("tsconfig.build.json cannot be read")
  return ts.createProgram(config.fileNames, config.options)
}

/** The entry points in `exports` of package.json: their specifiers, and their sources. */
export const entryPoints = (): ReadonlyArray<{ readonly entry: string; readonly source: string }> => {
  const { exports, name } = JSON.parse(readFileSync(resolve(root, "package.json"), "utf8")) as {
    readonly name: string
    readonly exports: Record<string, string | { readonly types: string }>
  }
  return Object.entries(exports).flatMap(([path, target]) =>
    typeof target === "string"
      ? []
      : [
          {
            entry: name + path.slice(1),
            source: target.types.replace("./dist/", "src/").replace(/\.d\.ts$/, ".ts")
          }
        ]
  )
}

/** All public names, entry point by entry point, in the order of their names. */
export const publicNames = (program: ts.Program): ReadonlyArray<PublicName> => {
  const checker = program.getTypeChecker()

  const namesIn = (module: ts.Symbol, entry: string, within: ReadonlyArray<string>): ReadonlyArray<PublicName> =>
    checker
      .getExportsOfModule(module)
      .slice()
      .sort(byName)
      .flatMap((exported) => {
        const target = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
        return target.flags & ts.SymbolFlags.ValueModule
          ? namesIn(target, entry, [...within, exported.name])
          : namesOf(exported.name, target, entry, within).map((name) =>
              exported.declarations?.some(ts.isTypeOnlyExportDeclaration) ? { ...name, isValue: false } : name
            )
      })

  const namesOf = (
    name: string,
    target: ts.Symbol,
    entry: string,
    within: ReadonlyArray<string>
  ): ReadonlyArray<PublicName> => {
    const statics = target.flags & ts.SymbolFlags.Class ? Array.from(target.exports?.values() ?? []) : []
    return [
      described(name, target, entry, within, false),
      ...statics
        .filter((member) => !(member.flags & ts.SymbolFlags.Prototype) && isPublic(member))
        .sort(byName)
        .map((member) => described(member.name, member, entry, [...within, name], true))
    ]
  }

  const described = (
    name: string,
    target: ts.Symbol,
    entry: string,
    within: ReadonlyArray<string>,
    isStatic: boolean
  ): PublicName => ({
    entry,
    within,
    name,
    isStatic,
    isValue: (target.flags & ts.SymbolFlags.Value) !== 0,
    declaration: { file: fileOf(target), name: target.name },
    docs: docsOf(target, checker),
    members: isStatic
      ? []
      : Array.from(target.members?.values() ?? [])
          .filter(isNamedMember)
          .filter(isPublic)
          .sort(byName)
          .map((member) => ({ name: member.name, docs: docsOf(member, checker) }))
  })

  return entryPoints().flatMap(({ entry, source }) => {
    const file = program.getSourceFile(resolve(root, source))
    const module = file && checker.getSymbolAtLocation(file)
    if (module === undefined) throw new Error(`${source} is no module`)
    return namesIn(module, entry, [])
  })
}

const byName = (a: ts.Symbol, b: ts.Symbol): number => (a.name < b.name ? -1 : 1)

const fileOf = (symbol: ts.Symbol): string =>
  relative(root, symbol.declarations?.[0]?.getSourceFile().fileName ?? "").replaceAll("\\", "/")

const memberFlags = ts.SymbolFlags.Property | ts.SymbolFlags.Method | ts.SymbolFlags.Accessor

/** No type parameter, constructor or index signature; and none that bears the name of a symbol. */
const isNamedMember = (symbol: ts.Symbol): boolean =>
  (symbol.flags & memberFlags) !== 0 && !symbol.name.startsWith("__") && symbol.name !== "message"

const isPublic = (symbol: ts.Symbol): boolean =>
  (symbol.declarations ?? []).every(
    (declaration) =>
      !(
        ts.getCombinedModifierFlags(declaration as ts.Declaration) &
        (ts.ModifierFlags.Private | ts.ModifierFlags.Protected)
      )
  )

const docsOf = (symbol: ts.Symbol, checker: ts.TypeChecker): Docs => {
  const tags = symbol.getJsDocTags(checker)
  const textsOf = (tag: string) =>
    tags.filter(({ name }) => name === tag).map(({ text }) => ts.displayPartsToString(text).trim())
  return {
    description: ts.displayPartsToString(symbol.getDocumentationComment(checker)).trim(),
    examples: textsOf("example").map(codeIn),
    since: textsOf("since")[0],
    category: textsOf("category")[0]
  }
}

/** An example is code, in a block or bare. */
const codeIn = (text: string): string => /^```ts\n(.*?)^```$/ms.exec(text)?.[1] ?? text
