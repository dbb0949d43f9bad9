/**
 * The data API of the page, from its OpenAPI document.
 */
import { useData } from "./PageData.js"
import { Table } from "./Table.js"

interface Parameter {
  readonly name: string
  readonly required?: boolean
  readonly description?: string
  readonly schema?: Schema
}

interface Schema {
  readonly type?: string
  readonly $ref?: string
  readonly enum?: ReadonlyArray<unknown>
  readonly description?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly anyOf?: ReadonlyArray<Schema>
  readonly items?: Schema
}

interface Operation {
  readonly summary?: string
  readonly parameters?: ReadonlyArray<Parameter>
  readonly responses?: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema?: Schema }>> }>
  >
}

interface Document {
  readonly info: { readonly title: string; readonly description?: string }
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

const typeText = ({ $ref, anyOf, enum: values, items, type }: Schema): string => {
  if (values !== undefined) return values.map((value) => JSON.stringify(value)).join(", ")
  if (anyOf !== undefined) return anyOf.map(typeText).join(" or ")
  if ($ref !== undefined) return $ref.replace(/^.*\//, "")
  if (type === "array") return `list of ${items === undefined ? "anything" : typeText(items)}`
  return type ?? "anything"
}

export const Reference = () => {
  const { data } = useData<Document>("openapi.json", {}, 0)
  return (
    <div class="reference">
      <div class="scope">
        <h1>Data API</h1>
        <a class="link" href="/api/openapi.json">
          openapi.json
        </a>
      </div>
      <p class="mute">{data?.info.description}</p>
      {Object.entries(data?.paths ?? {}).flatMap(([path, methods]) =>
        Object.entries(methods).map(([method, operation]) => (
          <section key={`${method} ${path}`} aria-label={`${method} ${path}`}>
            <h2>
              <span class="mono">
                {method.toUpperCase()} {path}
              </span>
            </h2>
            <p class="mute">{operation.summary}</p>
            {operation.parameters === undefined || operation.parameters.length === 0 ? null : (
              <Table
                columns={[
                  {
                    title: "Parameter",
                    cell: ({ name, required }) => (
                      <span class="mono">
                        {name}
                        {required ? "" : "?"}
                      </span>
                    )
                  },
                  {
                    title: "Values",
                    cell: ({ description, schema }) => {
                      const text = description ?? schema?.description
                      return (
                        <span class="mute">
                          {schema === undefined ? "" : typeText(schema)}
                          {text ? `. ${text}` : ""}
                        </span>
                      )
                    }
                  }
                ]}
                rows={operation.parameters}
                keyOf={({ name }) => name}
              />
            )}
            <Answer operation={operation} />
          </section>
        ))
      )}
    </div>
  )
}

const Answer = ({ operation }: { readonly operation: Operation }) => {
  const schema = operation.responses?.["200"]?.content?.["application/json"]?.schema
  const properties = Object.keys((schema?.type === "array" ? schema.items : schema)?.properties ?? {})
  return properties.length === 0 ? null : (
    <p class="note">
      Answer: <span class="mono">{properties.join(", ")}</span>
    </p>
  )
}
