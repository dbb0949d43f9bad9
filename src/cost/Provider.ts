/**
 * The names of who provides models, databases, storage and messaging, as OpenTelemetry's semantic conventions spell them
 * (`gen_ai.provider.name`, `db.system.name`, `messaging.system`). Names that they do not know stay as they are, in lower case.
 */
import type { UsageKind } from "./UsageKind.js"

/** The provider of a model: `Azure OpenAI` is `azure.ai.openai`, `claude` is `anthropic`. */
export const normalizeProvider = (name: string): string => models(name)

/** The provider of what is used, by its kind: `pg` is `postgresql` where it is a database. */
export const normalizeSystem = (kind: UsageKind, name: string): string => namesByKind[kind]?.(name) ?? asItIs(name)

const asItIs = (name: string): string => name.trim().toLowerCase()

/** Gives the name that the conventions have. */
type Normalize = (name: string) => string

// Programs name a handful of providers, over and over. Bounded, should names ever be made up by data.
const maxRemembered = 1000

/** Names are found by what remains of them without their separators. */
const names = (aliases: Readonly<Record<string, string>>, shorter: Normalize = asItIs): Normalize => {
  const known = new Map([
    ...Object.entries(aliases).map(([alias, name]) => [bare(alias), name] as const),
    ...Object.values(aliases).map((name) => [bare(name), name] as const)
  ])
  const remembered = new Map<string, string>()
  return (name) => {
    const answer = remembered.get(name)
    if (answer !== undefined) return answer
    const normalized = known.get(bare(name)) ?? known.get(bare(shorter(asItIs(name)))) ?? asItIs(name)
    if (remembered.size < maxRemembered) remembered.set(name, normalized)
    return normalized
  }
}

const bare = (name: string): string => name.toLowerCase().replace(/[\s._/-]+/g, "")

/**
 * The name of a provider without what is said beside it: the kind of model, as the Vercel AI SDK has it (`openai.chat`,
 * `google.vertex.chat`), and the family of models, as LiteLLM's file has it (`vertex_ai-language-models`).
 */
const withoutKind = (name: string): string => {
  if (name.startsWith("vertex_ai-")) return "vertex_ai"
  const dot = name.lastIndexOf(".")
  return dot > 0 && kindsOfModels.has(name.slice(dot + 1)) ? name.slice(0, dot) : name
}

const kindsOfModels: ReadonlySet<string> = new Set([
  "chat",
  "responses",
  "completion",
  "embedding",
  "textembedding",
  "image",
  "video",
  "speech",
  "transcription",
  "reranking",
  "messages"
])

const models = names(
  {
    amazonbedrock: "aws.bedrock",
    bedrock: "aws.bedrock",
    bedrock_converse: "aws.bedrock",
    claude: "anthropic",
    azureaiinference: "azure.ai.inference",
    az_ai_inference: "azure.ai.inference",
    azure_ai: "azure.ai.inference",
    azure: "azure.ai.openai",
    azureopenai: "azure.ai.openai",
    az_ai_openai: "azure.ai.openai",
    cohere_chat: "cohere",
    deepseek: "deepseek",
    gemini: "gcp.gemini",
    google: "gcp.gemini",
    googleai: "gcp.gemini",
    googlegemini: "gcp.gemini",
    gcp_genai: "gcp.gen_ai",
    vertex: "gcp.vertex_ai",
    vertexai: "gcp.vertex_ai",
    googlevertex: "gcp.vertex_ai",
    googlevertexai: "gcp.vertex_ai",
    gcpvertex: "gcp.vertex_ai",
    groqcloud: "groq",
    watsonx: "ibm.watsonx.ai",
    watsonxai: "ibm.watsonx.ai",
    mistral: "mistral_ai",
    openai_responses: "openai",
    text_completion_openai: "openai",
    perplexityai: "perplexity",
    grok: "x_ai",
    fireworks: "fireworks_ai",
    together: "together_ai",
    hf: "huggingface",
    googlegenerativeai: "gcp.gemini",
    vertexanthropic: "gcp.vertex_ai",
    moonshotai: "moonshot_ai",
    moonshot: "moonshot_ai",
    kimi: "moonshot_ai",
    dashscope: "alibaba",
    qwen: "alibaba",
    voyageai: "voyage",
    jinaai: "jina_ai",
    jina: "jina_ai"
  },
  withoutKind
)

const databases = names({
  pg: "postgresql",
  postgres: "postgresql",
  timescaledb: "timescaledb",
  dynamodb: "aws.dynamodb",
  redshift: "aws.redshift",
  athena: "aws.athena",
  cosmosdb: "azure.cosmosdb",
  azuresynapse: "azure.synapse",
  synapse: "azure.synapse",
  spanner: "gcp.spanner",
  bigquery: "gcp.bigquery",
  googlebigquery: "gcp.bigquery",
  firestore: "gcp.firestore",
  cockroach: "cockroachdb",
  db2: "ibm.db2",
  elastic: "elasticsearch",
  mongo: "mongodb",
  mssql: "microsoft.sql_server",
  sqlserver: "microsoft.sql_server",
  oracle: "oracle.db",
  sqlite3: "sqlite",
  hana: "sap.hana"
})

const messaging = names({
  sqs: "aws_sqs",
  amazonsqs: "aws_sqs",
  sns: "aws.sns",
  amazonsns: "aws.sns",
  eventgrid: "eventgrid",
  eventhub: "eventhubs",
  azureeventhubs: "eventhubs",
  pubsub: "gcp_pubsub",
  googlepubsub: "gcp_pubsub",
  googlecloudpubsub: "gcp_pubsub",
  apachekafka: "kafka",
  rabbit: "rabbitmq",
  azureservicebus: "servicebus"
})

const storage = names({
  s3: "aws.s3",
  amazons3: "aws.s3",
  gcs: "gcp.cloud_storage",
  googlecloudstorage: "gcp.cloud_storage",
  blob: "azure.blob",
  azureblobstorage: "azure.blob",
  efs: "aws.efs"
})

const namesByKind: Partial<Record<UsageKind, Normalize>> = { llm: models, database: databases, messaging, storage }
