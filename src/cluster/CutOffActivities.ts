/**
 * Which activities of a durable workflow were begun before, from the messages that the cluster stores.
 */
import {
  ClusterSchema,
  EntityAddress,
  EntityId,
  EntityType,
  MessageStorage,
  Sharding,
  Snowflake
} from "@effect/cluster"
import { Context, type DateTime, Effect, Option } from "effect"
import type { ActivityAddress, ActivityHistory } from "../lifecycle/ActivityHistory.js"

/** The history of the activities of `ClusterWorkflowEngine`, which stores a message for each that it requests. */
export const history: Effect.Effect<ActivityHistory["Type"], never, MessageStorage.MessageStorage | Sharding.Sharding> =
  Effect.gen(function* () {
    const storage = yield* MessageStorage.MessageStorage
    const sharding = yield* Sharding.Sharding
    return {
      wasRequestedBefore: (activity, time) =>
        Effect.gen(function* () {
          const request = yield* storage.requestIdForPrimaryKey({
            address: addressOf(sharding, activity),
            tag: "activity",
            id: `${activity.activity}/${activity.attempt}`
          })
          if (Option.isNone(request)) return false
          const own = yield* sharding.getSnowflake
          return isBefore(request.value, own, time)
        })
    }
  })

/** The address of the entity that an execution is. The key of a message has no shard in it. */
const addressOf = (
  sharding: Sharding.Sharding["Type"],
  { executionId, workflow }: ActivityAddress
): EntityAddress.EntityAddress => {
  const entityId = EntityId.make(executionId)
  const group = Context.get(Context.empty(), ClusterSchema.ShardGroup)(entityId)
  return new EntityAddress.EntityAddress({
    entityType: EntityType.EntityType.make(`Workflow/${workflow}`),
    entityId,
    shardId: sharding.getShardId(entityId, group)
  })
}

/** Whether a message is of another machine, or of this one before a time of its clock. */
const isBefore = (request: Snowflake.Snowflake, own: Snowflake.Snowflake, time: DateTime.Utc): boolean =>
  Snowflake.machineId(request) !== Snowflake.machineId(own) || Snowflake.timestamp(request) < time.epochMillis
