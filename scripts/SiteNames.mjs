/**
 * A plugin of TypeDoc: pages are named by their headings, and modules as users import them.
 */
import { Converter, ReflectionKind } from "typedoc"

const headingOf = (page) =>
  page.content
    .map(({ text }) => text)
    .join("")
    .match(/^# (.+)$/m)?.[1]

export const load = ({ converter }) =>
  converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const page of project.documents ?? []) page.name = headingOf(page) ?? page.name
    for (const module of project.getReflectionsByKind(ReflectionKind.Module)) {
      module.name = module.name === "index" ? "botanu-effect" : `botanu-effect/${module.name}`
    }
  })
