/**
 * The keys of the page, and the list of them.
 */
import { useEffect, useLayoutEffect, useRef } from "preact/hooks"

/**
 * Takes keys while nobody types. `onKey` gives whether a key was for it. It is the one of the latest drawing: no key is lost or old
 * while effects wait.
 */
export const useKeys = (onKey: (event: KeyboardEvent) => boolean): void => {
  const latest = useRef(onKey)
  latest.current = onKey
  useLayoutEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return
      if (latest.current(event)) event.preventDefault()
    }
    addEventListener("keydown", listen)
    return () => removeEventListener("keydown", listen)
  }, [])
}

/** Closes what is open in a frame where Escape is pressed, or where something beside the frame is. */
export const useClosing = (isOpen: boolean, frame: () => Element | null | undefined, close: () => void): void => {
  const latest = useRef(close)
  latest.current = close
  useLayoutEffect(() => {
    if (!isOpen) return
    const onPress = ({ target }: PointerEvent) => {
      if (target instanceof Node && frame()?.contains(target) !== true) latest.current()
    }
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return
      // It closes this alone.
      event.stopImmediatePropagation()
      latest.current()
    }
    addEventListener("pointerdown", onPress)
    addEventListener("keydown", onKey, { capture: true })
    return () => {
      removeEventListener("pointerdown", onPress)
      removeEventListener("keydown", onKey, { capture: true })
    }
  }, [isOpen])
}

/** Whether a key goes into a field. Single keys do nothing else then. */
const isTyping = ({ target }: KeyboardEvent): boolean =>
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
