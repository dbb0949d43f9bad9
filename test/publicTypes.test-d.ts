/**
 * Public types, as programs use them that name one: for an argument, a result or an error of their own functions. `api.test.ts` finds
 * a public type that no test names.
 */
import type { Rpc } from "@effect/rpc"
import type { Workflow } from "@effect/workflow"
import { type BigDecimal, Effect, type Either, type Layer, type Option, type Schema, type Stream } from "effect"
import { describe, expectTypeOf, it } from "vitest"
import type { RunCluster } from "../src/cluster/index.js"
import {
  type AttributeValue,
  Baggage,
  Botanu,
  Budget,
  type BudgetExceeded,
  type BudgetScope,
  type BudgetStoreService,
  type Cost,
  Data,
  type DeadlineExceeded,
  Delivery,
  type InvalidRunContext,
  Llm,
  type PeriodBudget,
  PriceBook,
  Propagation,
  type Run,
  type RunCancelled,
  RunContext,
  RunId,
  type RunOptions,
  type Spending,
  type Usage
} from "../src/index.js"
import { Ledger } from "../src/ledger/index.js"
import { RunOpenTelemetry } from "../src/opentelemetry/index.js"
import { PriceFile, RunExporterFile, RunHttpClient, type RunHttpServer } from "../src/platform/index.js"
import { type BusinessEvent, type RunRecord, RunTree } from "../src/report/index.js"
import { RunRpc } from "../src/rpc/index.js"
import { LedgerSql } from "../src/sql/index.js"
import { RunWorkflow } from "../src/workflow/index.js"

class Broken {
  readonly _tag = "Broken"
}

type Work = Effect.Effect<number, Broken, RunContext>
type Numbers = Stream.Stream<number, Broken, RunContext>

describe("the types of a run", () => {
  it("are those of its options and attributes", () => {
    expectTypeOf(RunContext.make).parameter(0).toEqualTypeOf<RunOptions>()
    expectTypeOf<Run["toSpanAttributes"]>().returns.toEqualTypeOf<Record<string, AttributeValue>>()
    expectTypeOf<AttributeValue>().toEqualTypeOf<string | number | boolean>()
    expectTypeOf(RunId.makeGenerator).returns.toEqualTypeOf<RunId.GeneratorService>()
    expectTypeOf<typeof RunId.Generator.Service>().toEqualTypeOf<RunId.GeneratorService>()
  })

  it("say what a workflow makes of its work, and how it may fail", () => {
    type Limited = Botanu.LimitError<"1 second", Budget>
    expectTypeOf<Limited>().toEqualTypeOf<DeadlineExceeded | BudgetExceeded>()
    expectTypeOf<Botanu.DeadlineError<undefined>>().toEqualTypeOf<never>()
    expectTypeOf<Botanu.BudgetError<undefined>>().toEqualTypeOf<never>()
    expectTypeOf<Botanu.BudgetError<Budget>>().toEqualTypeOf<BudgetExceeded>()
    expectTypeOf<Botanu.DeadlineError<"1 second">>().toEqualTypeOf<DeadlineExceeded>()
    expectTypeOf<Botanu.RunOf<Work, "1 second", undefined>>().toEqualTypeOf<
      Effect.Effect<number, Broken | InvalidRunContext | DeadlineExceeded>
    >()
    expectTypeOf<Botanu.RunOf<Numbers, undefined, Budget>>().toEqualTypeOf<
      Stream.Stream<number, Broken | InvalidRunContext | BudgetExceeded>
    >()
    expectTypeOf<Botanu.FromArguments<[id: string], number>>().toEqualTypeOf<number | ((id: string) => number)>()
    const retried = (retry: Botanu.RetryOptions<Broken, never>) =>
      Botanu.workflow({} as Work, "W", { eventId: "e", customerId: "c", retry })
    expectTypeOf(retried).returns.toEqualTypeOf<Effect.Effect<number, Broken | InvalidRunContext>>()
    expectTypeOf<Delivery.Options["keep"]>().parameter(0).toEqualTypeOf<Propagation.OutgoingHeaders>()
    const delivered = (options: Delivery.Options<number, never, never, undefined, undefined>) =>
      Delivery.workflow("W", options)(Effect.succeed(1))
    expectTypeOf(delivered).returns.toEqualTypeOf<Effect.Effect<number, InvalidRunContext>>()
  })

  it("say what a step, detached work and a run that goes on may need", () => {
    expectTypeOf<Botanu.Step<Effect.Effect<number>>>().toEqualTypeOf<Effect.Effect<number, never, RunContext>>()
    expectTypeOf<Botanu.Step<Stream.Stream<number>>>().toEqualTypeOf<Stream.Stream<number, never, RunContext>>()
    expectTypeOf<Botanu.NeedsNoRun<Broken>>().toEqualTypeOf<unknown>()
    expectTypeOf<Botanu.NeedsNoRun<RunContext>>().not.toEqualTypeOf<unknown>()
    expectTypeOf<Botanu.ResumeError<"enforce">>().toEqualTypeOf<DeadlineExceeded | RunCancelled>()
    expectTypeOf<Botanu.ResumeError<"ignore">>().toEqualTypeOf<never>()
    expectTypeOf<Botanu.ResumeOptions["deadline"]>().toEqualTypeOf<"ignore" | "enforce" | undefined>()
    const resumed = (run: Run, options: Botanu.ResumeOptions<"enforce">) => Botanu.resume(run, options)
    expectTypeOf(resumed).returns.toBeFunction()
  })

  it("are those of headers", () => {
    expectTypeOf(Propagation.injectWith).parameter(0).toEqualTypeOf<Propagation.InjectOptions>()
    expectTypeOf(Baggage.decode).returns.toHaveProperty("dropped").toEqualTypeOf<Baggage.Dropped>()
    expectTypeOf<Baggage.Dropped["first"]>().toEqualTypeOf<ReadonlyArray<Baggage.DroppedPart>>()
    expectTypeOf<Baggage.DroppedPart["reason"]>().toEqualTypeOf<Baggage.DropReason>()
    expectTypeOf<Baggage.Member["properties"]>().toEqualTypeOf<ReadonlyArray<Baggage.Property>>()
    expectTypeOf<Baggage.Property["value"]>().toEqualTypeOf<Option.Option<string>>()
  })
})

describe("the types of calls and their costs", () => {
  it("are those of what is tracked", () => {
    expectTypeOf(Llm.track).toExtend<Usage.Track<Llm.ModelCall | Llm.ToolCall, RunContext>>()
    expectTypeOf<Llm.ToolCall["operation"]>().toEqualTypeOf<"execute_tool">()
    expectTypeOf<Llm.ModelOperation>().toExtend<Llm.ModelCall["operation"]>()
    expectTypeOf<"chat">().toExtend<Llm.ModelOperation>()
    expectTypeOf(Data.trackDatabase).toEqualTypeOf<Usage.Track<Data.DatabaseCall>>()
    expectTypeOf(Data.trackStorage).toEqualTypeOf<Usage.Track<Data.StorageCall>>()
    expectTypeOf(Data.trackMessaging).toEqualTypeOf<Usage.Track<Data.MessagingCall>>()
    expectTypeOf<Usage.Trackable<number, Broken, RunContext>>().toEqualTypeOf<Work | Numbers>()
    expectTypeOf<Usage.Tracked<Effect.Effect<number, Broken, Usage.CurrentCall>>>().toEqualTypeOf<
      Effect.Effect<number, Broken>
    >()
    expectTypeOf<NonNullable<Usage.CallOptions<number>["usage"]>>().returns.toEqualTypeOf<
      Usage.Consumption | undefined
    >()
    expectTypeOf<"inputTokens">().toExtend<Usage.Quantity>()
    expectTypeOf<Usage.Consumption["inputTokens"]>().toEqualTypeOf<number | undefined>()
    expectTypeOf<Usage.Quantity>().toExtend<keyof Usage.Consumption>()
  })

  it("are those of prices", () => {
    expectTypeOf(PriceBook.make).returns.toEqualTypeOf<Either.Either<PriceBook.Book, PriceBook.InvalidPrice>>()
    expectTypeOf<PriceBook.Book["explain"]>().returns.toEqualTypeOf<PriceBook.Explanation>()
    expectTypeOf<PriceBook.Explanation["considered"]>().toEqualTypeOf<ReadonlyArray<PriceBook.ConsideredPrice>>()
    expectTypeOf<PriceBook.Explanation["cost"]>().toEqualTypeOf<Cost.Cost>()
    expectTypeOf<NonNullable<PriceBook.Price["tiers"]>>().toEqualTypeOf<ReadonlyArray<PriceBook.PriceTier>>()
    expectTypeOf<NonNullable<PriceBook.Price["serviceTiers"]>>().toEqualTypeOf<
      Readonly<Record<string, PriceBook.ServiceTierPrices>>
    >()
    expectTypeOf<PriceBook.Price>().toExtend<PriceBook.Validity>()
    expectTypeOf<NonNullable<PriceBook.UnitPrices["toolCalls"]>>().toEqualTypeOf<PriceBook.NamedPrices>()
    expectTypeOf<keyof PriceBook.UnitPrices>().toEqualTypeOf<PriceBook.Unit | "toolCalls" | "other">()
    expectTypeOf(PriceFile.layer).parameter(1).toEqualTypeOf<PriceFile.PriceFileOptions | undefined>()
  })

  it("are those of budgets", () => {
    expectTypeOf(Budget.layer).parameter(0).toEqualTypeOf<PeriodBudget>()
    expectTypeOf<PeriodBudget["scope"]>().toEqualTypeOf<BudgetScope>()
    expectTypeOf<BudgetStoreService["add"]>().parameter(1).toEqualTypeOf<Spending>()
    expectTypeOf<Spending["usd"]>().toEqualTypeOf<BigDecimal.BigDecimal>()
  })
})

describe("the types of records", () => {
  it("are those of a ledger", () => {
    expectTypeOf(Ledger.layer).parameter(0).toEqualTypeOf<Ledger.Options>()
    expectTypeOf(Ledger.files).returns.toExtend<Effect.Effect<Ledger.Files, unknown, unknown>>()
    expectTypeOf<Ledger.Files["segments"]>().toEqualTypeOf<ReadonlyArray<Ledger.Segment>>()
    expectTypeOf<Ledger.Contents["compacted"]>().toEqualTypeOf<ReadonlyArray<Ledger.CompactedDay>>()
    expectTypeOf(LedgerSql.layer).parameter(0).toEqualTypeOf<LedgerSql.Options>()
    expectTypeOf(LedgerSql.migrate).parameter(0).toEqualTypeOf<LedgerSql.SchemaOptions | undefined>()
    expectTypeOf(RunExporterFile.jsonLines).parameter(1).toEqualTypeOf<RunExporterFile.RotationOptions | undefined>()
  })

  it("are those of reports", () => {
    expectTypeOf<BusinessEvent.BusinessEvent["cost"]>().toEqualTypeOf<BusinessEvent.CostSum>()
    expectTypeOf<BusinessEvent.BusinessEvent["chains"][0]>().toEqualTypeOf<BusinessEvent.Chain>()
    expectTypeOf<BusinessEvent.Chain["status"]>().toEqualTypeOf<RunRecord.ReportStatus | undefined>()
    expectTypeOf<RunTree.RunNode["children"]>().toEqualTypeOf<ReadonlyArray<RunTree.Node>>()
    expectTypeOf<RunTree.Node>().toEqualTypeOf<RunTree.RunNode | RunTree.CallNode | RunTree.WaitNode>()
    expectTypeOf(RunTree.lines).parameter(1).toEqualTypeOf<RunTree.Options | undefined>()
  })
})

describe("the types of edges", () => {
  it("are those of HTTP", () => {
    expectTypeOf(RunHttpClient.layer).parameter(0).toEqualTypeOf<RunHttpClient.Options>()
    expectTypeOf<RunHttpServer.Answered<Broken | DeadlineExceeded | RunCancelled>>().toEqualTypeOf<Broken>()
    expectTypeOf<RunHttpServer.OptionsOrElse>().toExtend<RunHttpServer.OptionsMaybeOrElse>()
    expectTypeOf<ReturnType<RunHttpServer.OptionsMaybeOrElse["orElse"]>>()
      .extract<object>()
      .toExtend<RunHttpServer.RequestRun<never>>()
    expectTypeOf<RunHttpServer.RequestRun["workflow"]>().toEqualTypeOf<string>()
  })

  it("are those of RPC", () => {
    expectTypeOf(RunRpc.layerClient).parameter(0).toEqualTypeOf<RunRpc.ClientOptions>()
    expectTypeOf<RunRpc.ServerOptions["inbound"]>().toEqualTypeOf<RunRpc.Inbound<RunRpc.Request>>()
    expectTypeOf<RunRpc.ServerOptionsOrElse>().toExtend<RunRpc.ServerOptionsMaybeOrElse>()
    expectTypeOf<ReturnType<RunRpc.ServerOptionsOrElse["orElse"]>>().toEqualTypeOf<RunRpc.RequestRun<unknown>>()
    const served = (options: RunRpc.ServerOptions) => RunRpc.layerServer(options)
    expectTypeOf(served).returns.toEqualTypeOf<Layer.Layer<RunRpc.Middleware>>()
  })

  it("are those of OpenTelemetry, of a cluster and of durable workflows", () => {
    expectTypeOf(RunOpenTelemetry.layer).parameter(0).toEqualTypeOf<RunOpenTelemetry.Options>()
    expectTypeOf<RunCluster.Options["inbound"]>().toEqualTypeOf<RunCluster.Inbound<RunCluster.Message>>()
    expectTypeOf<RunCluster.Message["tag"]>().toEqualTypeOf<Rpc.Tag<Rpc.Any>>()
    expectTypeOf<RunWorkflow.Options<{ readonly id: string }>["eventId"]>().toEqualTypeOf<
      RunWorkflow.FromPayload<{ readonly id: string }, string>
    >()
    type Failed = RunWorkflow.Failure<typeof Schema.String, "1 second", undefined>
    expectTypeOf<Failed["Type"]>().toEqualTypeOf<string | InvalidRunContext | DeadlineExceeded>()
    type Durable = Workflow.Workflow<"Pay", Schema.Struct<{ id: typeof Schema.String }>, typeof Schema.Void, Failed>
    type AsRun = RunWorkflow.RunWorkflow<"Pay", Durable["payloadSchema"], typeof Schema.Void, Failed>
    expectTypeOf<AsRun["name"]>().toEqualTypeOf<"Pay">()
    const asRun = (workflow: Durable, options: RunWorkflow.Options<{ readonly id: string }, void>) =>
      RunWorkflow.asRun(workflow, options).name
    expectTypeOf(asRun).returns.toEqualTypeOf<"Pay">()
  })
})
