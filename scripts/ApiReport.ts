/**
 * The public surface of the package as text: every public name with its signature, from the emitted declarations.
 */
import { posix, relative } from "node:path"
import ts from "typescript"
import { type PublicName, publicNames, root } from "./PublicNames.js"

/** The reports, by the path of the file in which each is kept. */
export const apiReports = (program: ts.Program): ReadonlyMap<string, string> => {
  const names = publicNames(program)
  const declarations = declarationsOf(program)
  const known = new Set(names.filter(({ isStatic }) => !isStatic).map(({ declaration }) => keyOf(declaration)))
  const entries = new Set(names.map(({ entry }) => entry))
  return new Map(
    Array.from(entries, (entry) => [
      `api/${entry.replace("/", ".")}.api.md`,
      reportOf(
        entry,
        names.filter((name) => name.entry === entry && !name.isStatic),
        declarations,
        known
      )
    ])
  )
}

const reportOf = (
  entry: string,
  names: ReadonlyArray<PublicName>,
  declarations: Declarations,
  known: ReadonlySet<string>
): string => {
  const sections = new Map<string, Array<string>>()
  const behind = new Map<string, Place>()
  for (const { declaration, name, within } of names) {
    const title = within.join(".") || entry
    const texts = sections.get(title) ?? []
    sections.set(title, texts)
    const alias = name === declaration.name ? "" : `// ${declaration.name} as ${name}\n`
    texts.push(alias + declarations.textOf(declaration))
    for (const place of declarations.behind(declaration, known)) behind.set(keyOf(place), place)
  }
  const others = Array.from(behind.values())
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(declarations.textOf)
  if (others.length > 0) sections.set("Not exported, but part of what is", others)
  const own = sections.get(entry)
  sections.delete(entry)
  const blocks = Array.from(sections, ([title, texts]) => `## ${title}\n\n${codeOf(texts)}`)
  if (own !== undefined) blocks.unshift(codeOf(own))
  return [
    `# ${entry}`,
    "Every public name with its signature. Written by `npm run api`, compared by a test. Do not edit it.",
    ...blocks,
    ""
  ].join("\n\n")
}

const codeOf = (texts: ReadonlyArray<string>): string => `\`\`\`ts\n${texts.join("\n")}\n\`\`\``

/** A name at the top level of a source file. */
interface Place {
  readonly file: string
  readonly name: string
}

const keyOf = ({ file, name }: Place): string => `${file} ${name}`

interface Declarations {
  readonly textOf: (place: Place) => string
  /** Declarations of the package that a public one needs, directly or through others, and that have no public name. */
  readonly behind: (place: Place, known: ReadonlySet<string>) => ReadonlyArray<Place>
}

const declarationsOf = (program: ts.Program): Declarations => {
  const files = emittedFiles(program)
  const printer = ts.createPrinter({ removeComments: true })

  const statementsOf = ({ file, name }: Place): ReadonlyArray<ts.Statement> =>
    files.get(file)?.statements.filter((statement) => namesDeclaredBy(statement).includes(name)) ?? []

  const textOf = (place: Place): string => {
    const statements = statementsOf(place)
    const file = files.get(place.file)
    if (file === undefined || statements.length === 0) throw new Error(`${keyOf(place)} is in no declaration file`)
    return statements
      .map((statement) => printer.printNode(ts.EmitHint.Unspecified, shortened(statement), file))
      .map((text) => text.replace(/^(?:export )?(?:declare )?/, ""))
      .join("\n")
  }

  /** Where a name that is used in a file is declared, if that is in this package. */
  const placeOf = (file: string, name: string): Place | undefined => {
    if (statementsOf({ file, name }).length > 0) return { file, name }
    for (const statement of files.get(file)?.statements ?? []) {
      const source = namesFrom(statement, name)
      if (source !== undefined)
        return source.path.startsWith(".") ? placeOf(resolved(file, source.path), source.name) : undefined
    }
    return undefined
  }

  const usedIn = (place: Place): ReadonlyArray<Place> => {
    const used: Array<Place | undefined> = []
    const visit = (node: ts.Node): void => {
      if (ts.isQualifiedName(node) && ts.isIdentifier(node.left)) {
        const module = moduleNamed(files.get(place.file), node.left.text)
        if (module !== undefined) {
          used.push(placeOf(resolved(place.file, module), node.right.text))
          return
        }
      }
      if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument) && node.qualifier !== undefined) {
        const { literal } = node.argument
        if (ts.isStringLiteral(literal) && literal.text.startsWith("."))
          used.push(placeOf(resolved(place.file, literal.text), node.qualifier.getText()))
      }
      if (ts.isIdentifier(node) && isReference(node)) used.push(placeOf(place.file, node.text))
      ts.forEachChild(node, visit)
    }
    for (const statement of statementsOf(place)) visit(statement)
    return used.filter((found) => found !== undefined)
  }

  const behind = (place: Place, known: ReadonlySet<string>): ReadonlyArray<Place> => {
    const found = new Map<string, Place>()
    const follow = (from: Place): void => {
      for (const used of usedIn(from)) {
        const key = keyOf(used)
        if (known.has(key) || found.has(key)) continue
        found.set(key, used)
        follow(used)
      }
    }
    follow(place)
    return Array.from(found.values())
  }

  return { behind, textOf }
}

/** The declarations that the compiler emits, by the path of their source. */
const emittedFiles = (program: ts.Program): ReadonlyMap<string, ts.SourceFile> => {
  const files = new Map<string, ts.SourceFile>()
  program.emit(
    undefined,
    (path, text, _mark, _error, sources) => {
      const [source] = sources ?? []
      if (source === undefined || !path.endsWith(".d.ts")) return
      const file = relative(root, source.fileName).replaceAll("\\", "/")
      files.set(file, ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true))
    },
    undefined,
    true
  )
  return files
}

/** A declaration without what no user can reach, and without what follows from the rest of it. */
const shortened = (statement: ts.Statement): ts.Statement => {
  const { transformed } = ts.transform(statement, [
    (context) => (node) => {
      const visit = (node: ts.Node): ts.Node | undefined => {
        if (ts.canHaveModifiers(node) && node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword))
          return undefined
        const visited = ts.visitEachChild(node, visit, context)
        const isShort = ts.isTupleTypeNode(visited) || (ts.isTypeLiteralNode(visited) && visited.members.length === 1)
        if (isShort) return ts.setEmitFlags(visited, ts.EmitFlags.SingleLine)
        return ts.isTypeReferenceNode(visited) ? withFieldsOnly(visited, context.factory) : visited
      }
      return ts.visitNode(node, visit, ts.isStatement) ?? node
    }
  ])
  return transformed[0] ?? statement
}

/** The base of a `Schema.Class`: what it encodes to and is made from follows from its fields. */
const withFieldsOnly = (node: ts.TypeReferenceNode, factory: ts.NodeFactory): ts.TypeReferenceNode => {
  const isSchemaClass = ts.isQualifiedName(node.typeName) && node.typeName.right.text === "Class"
  const { typeArguments = [] } = node
  return isSchemaClass && typeArguments.length > 2
    ? factory.createTypeReferenceNode(node.typeName, [
        ...typeArguments.slice(0, 2),
        factory.createTypeReferenceNode("...")
      ])
    : node
}

const namesDeclaredBy = (statement: ts.Statement): ReadonlyArray<string> => {
  if (ts.isVariableStatement(statement))
    return statement.declarationList.declarations.flatMap(({ name }) => (ts.isIdentifier(name) ? [name.text] : []))
  const isNamed =
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement)
  return isNamed && statement.name !== undefined ? [statement.name.text] : []
}

/** From which module a statement imports or re-exports a name, and what it is called there. */
const namesFrom = (
  statement: ts.Statement,
  name: string
): { readonly path: string; readonly name: string } | undefined => {
  const isImport = ts.isImportDeclaration(statement)
  if (!isImport && !ts.isExportDeclaration(statement)) return undefined
  const { moduleSpecifier } = statement
  const bindings = isImport ? statement.importClause?.namedBindings : statement.exportClause
  if (moduleSpecifier === undefined || !ts.isStringLiteral(moduleSpecifier) || bindings === undefined) return undefined
  if (!ts.isNamedImports(bindings) && !ts.isNamedExports(bindings)) return undefined
  const elements: ReadonlyArray<ts.ImportSpecifier | ts.ExportSpecifier> = bindings.elements
  const element = elements.find((element) => element.name.text === name)
  return element && { path: moduleSpecifier.text, name: (element.propertyName ?? element.name).text }
}

/** The path of the module that a file imports as a namespace of this name, if that is in this package. */
const moduleNamed = (file: ts.SourceFile | undefined, name: string): string | undefined => {
  for (const statement of file?.statements ?? []) {
    if (!ts.isImportDeclaration(statement) || !ts.isStringLiteral(statement.moduleSpecifier)) continue
    const bindings = statement.importClause?.namedBindings
    if (bindings === undefined || !ts.isNamespaceImport(bindings) || bindings.name.text !== name) continue
    return statement.moduleSpecifier.text.startsWith(".") ? statement.moduleSpecifier.text : undefined
  }
  return undefined
}

const resolved = (file: string, path: string): string => posix.join(posix.dirname(file), path).replace(/\.js$/, ".ts")

/** Whether an identifier names something that is declared elsewhere, and not a property, a parameter or itself. */
const isReference = (node: ts.Identifier): boolean => {
  const { parent } = node
  if (ts.isTypeReferenceNode(parent)) return true
  if (ts.isTypeQueryNode(parent)) return true
  if (ts.isExpressionWithTypeArguments(parent)) return true
  return ts.isQualifiedName(parent) && parent.left === node
}
