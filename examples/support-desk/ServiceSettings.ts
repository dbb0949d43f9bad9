/**
 * What a service is started with.
 */
import { Schema } from "effect"

export const ServiceSettings = Schema.parseJson(
  Schema.Struct({
    name: Schema.String,
    /** Whether spans are reported. */
    trace: Schema.Boolean,
    /** Where the models answer. */
    models: Schema.String,
    /** Where the service behind this one listens. */
    upstream: Schema.optionalWith(Schema.String, { exact: true })
  })
)
export type ServiceSettings = typeof ServiceSettings.Type

/** The settings of this process. */
export const ofProcess = (): ServiceSettings => Schema.decodeUnknownSync(ServiceSettings)(process.argv[2])
