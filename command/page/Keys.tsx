/**
 * The keys of the page, and the list of them.
 */
import { useEffect, useRef } from "preact/hooks"

/** Whether a key goes into a field. Single keys do nothing else then. */
export const isTyping = ({ target }: KeyboardEvent): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable ||
    /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName) ||
    target.closest("dialog[open]") !== null)

const keys: ReadonlyArray<readonly [keys: ReadonlyArray<string>, what: string]> = [
  [["/"], "search an event, run or customer"],
  [["g", "o"], "overview"],
  [["g", "e"], "events"],
  [["g", "p"], "prices"],
  [["1", "2", "3", "4"], "24 hours, 7, 30 or 90 days"],
  [["f"], "add a filter"],
  [["j", "k"], "next and previous row, or event"],
  [["Enter"], "open"],
  [["Esc"], "clear the selection, then go back"],
  [["c"], "copy the event id"],
  [["y"], "copy the link to this view"],
  [["r"], "show newer events"],
  [["p"], "pause live updates"],
  [["←", "→"], "in the chart: the day before, the next day"],
  [["?"], "this list"]
]

export const KeyList = ({ close }: { readonly close: () => void }) => {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => dialog.current?.showModal(), [])
  return (
    <dialog ref={dialog} onClose={close} aria-labelledby="keys">
      <h2 id="keys">Keys</h2>
      <dl class="keys">
        {keys.map(([names, what]) => [
          <dt key={what}>
            {names.map((name) => (
              <kbd key={name}>{name}</kbd>
            ))}
          </dt>,
          <dd key={`${what}.`}>{what}</dd>
        ])}
      </dl>
      <p class="note">
        <a class="link" href="/reference" onClick={close}>
          The data API of this page
        </a>
      </p>
    </dialog>
  )
}
