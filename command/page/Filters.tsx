/**
 * The filters of a view as chips, and the form that adds or changes one.
 */
import { useEffect, useRef, useState } from "preact/hooks"
import { useClosing, useKeys } from "./Keys.js"
import { go, hrefWith, type Location } from "./Location.js"
import { useData } from "./PageData.js"
import { type Field, fieldNames, fields, filtersOf, valueText } from "./Selection.js"

const known: Readonly<Partial<Record<Field, ReadonlyArray<string>>>> = {
  outcome: ["success", "failure", "partial", "timeout", "canceled", "failure,timeout,canceled", "running", "none"],
  attempts: ["2", "3", "4"],
  unpriced: ["yes", "no"],
  amended: ["yes", "no"]
}

export const Filters = ({ location }: { readonly location: Location }) => {
  const [editing, setEditing] = useState<Field | "new">()
  const filters = Object.entries(filtersOf(location)) as ReadonlyArray<readonly [Field, string]>
  const button = useRef<HTMLButtonElement>(null)
  useKeys(({ key }) => {
    if (key === "f") setEditing("new")
    return key === "f"
  })
  const close = () => {
    setEditing(undefined)
    button.current?.focus()
  }
  return (
    <div class="chips">
      {filters.map(([field, value]) => (
        <span class="anchor" key={field}>
          <span class="chip">
            <button
              type="button"
              class="edit"
              title={`Change: ${fields[field]} ${value}`}
              onClick={() => setEditing(field)}
            >
              <span>{fields[field]}</span>
              <b class="cut">
                <bdi>{valueText(field, value)}</bdi>
              </b>
            </button>
            <button
              type="button"
              class="remove"
              aria-label={`Remove filter ${fields[field]} is ${valueText(field, value)}`}
              onClick={() => go(hrefWith(location, { [field]: undefined }))}
            >
              ×
            </button>
          </span>
          {editing === field ? <Editor location={location} field={field} value={value} close={close} /> : null}
        </span>
      ))}
      <span class="anchor">
        <button
          ref={button}
          type="button"
          class="button"
          aria-expanded={editing === "new"}
          onClick={() => setEditing(editing === "new" ? undefined : "new")}
        >
          + Filter <kbd aria-hidden="true">f</kbd>
        </button>
        {editing === "new" ? <Editor location={location} field={undefined} value="" close={close} /> : null}
      </span>
    </div>
  )
}

const Editor = ({
  close,
  field: given,
  location,
  value
}: {
  readonly location: Location
  readonly field: Field | undefined
  readonly value: string
  readonly close: () => void
}) => {
  const used = filtersOf(location)
  const free = fieldNames.filter((name) => name === given || used[name] === undefined)
  const [field, setField] = useState<Field>(given ?? free[0] ?? "search")
  const [text, setText] = useState(value)
  const form = useRef<HTMLFormElement>(null)
  const fixed = known[field]
  const isFree = field === "search"
  const values = useData<ReadonlyArray<string>>(
    "values",
    fixed === undefined && !isFree ? { field, begin: text === value ? "" : text } : undefined,
    0
  )
  const options = isFree ? [] : (fixed ?? values.data ?? [])
  useEffect(() => form.current?.querySelector<HTMLElement>("select, input")?.focus(), [])
  useClosing(true, () => form.current?.parentElement, close)
  const apply = (value: string) => {
    if (value === "") return
    close()
    go(hrefWith(location, { ...(given !== undefined && { [given]: undefined }), [field]: value }))
  }
  return (
    <form
      ref={form}
      class="popup fields"
      aria-label="Filter"
      onSubmit={(event) => {
        event.preventDefault()
        apply(text)
      }}
    >
      <label>
        Field
        <select
          value={field}
          onChange={(event) => {
            setField(event.currentTarget.value as Field)
            setText("")
          }}
        >
          {free.map((name) => (
            <option key={name} value={name}>
              {fields[name]}
            </option>
          ))}
        </select>
      </label>
      {fixed === undefined ? (
        <label>
          Value
          <input
            name="value"
            autocomplete="off"
            spellcheck={false}
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
      ) : null}
      {options.length === 0 ? null : (
        <ul class="options" aria-label="Values">
          {options.map((option) => (
            <li key={option}>
              <button type="button" class="cut" title={option} onClick={() => apply(option)}>
                <bdi>{valueText(field, option)}</bdi>
              </button>
            </li>
          ))}
        </ul>
      )}
      <div class="row">
        <button type="button" class="button" onClick={close}>
          Cancel
        </button>
        {fixed === undefined ? (
          <button type="submit" class="button">
            Filter
          </button>
        ) : null}
      </div>
    </form>
  )
}
