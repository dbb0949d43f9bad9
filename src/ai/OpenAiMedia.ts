/**
 * What OpenAI's APIs for images, transcription and speech say of a call. Many others speak them too.
 *
 * Models of the GPT Image family report tokens, DALL·E nothing but its images (types of `openai`, `ImagesResponse`). A
 * transcription reports tokens or the seconds of the audio (`TranscriptionCreateResponse`). An answer with speech is audio, so that
 * the characters of the request are all that is known.
 */
import type { Consumption } from "../cost/UsageRecord.js"
import type { AnswerForm, Message } from "./AnswerForm.js"
import { openAiUsage } from "./OpenAiUsage.js"
import { record, text } from "./UnknownJson.js"

/** A protocol, as far as it is that of one of these APIs. */
export interface MediaProtocol extends AnswerForm {
  readonly operation: "image_generation" | "audio_transcription" | "audio_speech"
}

/** The protocol behind a path. */
export const mediaProtocolAt = (path: string, provider: string): MediaProtocol | undefined => {
  const end = Array.from(operations.keys()).find((end) => path.endsWith(end))
  const operation = end === undefined ? undefined : operations.get(end)
  if (operation === undefined) return undefined
  return {
    operation,
    read: operation === "image_generation" ? readImages : readUsage,
    consumption: (usage) => openAiUsage(usage, provider),
    isLast: ({ type }) => typeof type === "string" && lastEvent.test(type),
    ...(operation === "audio_speech" && { requested: charactersIn })
  }
}

const operations: ReadonlyMap<string, MediaProtocol["operation"]> = new Map([
  ["/images/generations", "image_generation"],
  ["/images/edits", "image_generation"],
  ["/images/variations", "image_generation"],
  ["/audio/transcriptions", "audio_transcription"],
  ["/audio/translations", "audio_transcription"],
  ["/audio/speech", "audio_speech"]
])

const lastEvent = /^(?:image_(?:generation|edit)\.completed|transcript\.text\.done|speech\.audio\.done)$/

const readUsage = (answer: Record<string, unknown>): Message => ({
  about: { responseModel: text(answer["model"]), serviceTier: text(answer["service_tier"]) },
  usage: record(answer["usage"])
})

const readImages = (answer: Record<string, unknown>): Message => {
  const { about, usage } = readUsage(answer)
  const { data } = answer
  return { about: { ...about, images: Array.isArray(data) && data.length > 0 ? data.length : undefined }, usage }
}

const charactersIn = ({ input }: Record<string, unknown>): Consumption => ({
  inputCharacters: typeof input === "string" ? Array.from(input).length : undefined
})
