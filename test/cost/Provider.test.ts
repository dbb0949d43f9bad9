import * as conventions from "@opentelemetry/semantic-conventions/incubating"
import { describe, expect, it } from "vitest"
import { normalizeProvider, normalizeSystem } from "../../src/cost/Provider.js"
import type { UsageKind } from "../../src/cost/UsageKind.js"

/** The values of an attribute, by how the names of their constants begin. */
const valuesOf = (prefix: string): ReadonlySet<string> =>
  new Set(
    Object.entries(conventions)
      .filter(([name]) => name.startsWith(prefix))
      .map(([, value]) => String(value))
  )

interface Names {
  readonly kind: UsageKind
  readonly attribute: string
  /** None where there are no conventions. */
  readonly values: ReadonlySet<string>
  /** As programs and price lists write them. */
  readonly aliases: Readonly<Record<string, ReadonlyArray<string>>>
  /** Names that the conventions do not know. */
  readonly others: Readonly<Record<string, ReadonlyArray<string>>>
}

const names: ReadonlyArray<Names> = [
  {
    kind: "llm",
    attribute: "gen_ai.provider.name",
    values: valuesOf("GEN_AI_PROVIDER_NAME_VALUE_"),
    aliases: {
      anthropic: ["Anthropic", "claude", "anthropic.messages"],
      "aws.bedrock": ["bedrock", "Amazon Bedrock", "AWS Bedrock", "aws-bedrock", "bedrock_converse", "amazon-bedrock"],
      "azure.ai.inference": ["Azure AI Inference", "az.ai.inference", "azure_ai"],
      "azure.ai.openai": ["azure", "Azure OpenAI", "azure_openai", "az.ai.openai", "azure.chat", "azure.responses"],
      cohere: ["Cohere", "cohere_chat", "cohere.textEmbedding", "cohere.reranking"],
      deepseek: ["DeepSeek", "deepseek.chat"],
      "gcp.gemini": ["gemini", "Google", "google-ai", "Google Gemini", "google.generative-ai"],
      "gcp.gen_ai": ["gcp_genai"],
      "gcp.vertex_ai": [
        "vertex",
        "vertex_ai",
        "Vertex AI",
        "google-vertex",
        "Google Vertex AI",
        "google.vertex.chat",
        "vertex.anthropic.messages",
        "vertex_ai-language-models",
        "vertex_ai-anthropic_models"
      ],
      groq: ["Groq", "GroqCloud", "groq.transcription"],
      "ibm.watsonx.ai": ["watsonx", "watsonx.ai", "IBM watsonx.ai"],
      mistral_ai: ["mistral", "Mistral AI", "mistralai", "mistral.embedding"],
      openai: [
        "OpenAI",
        "open-ai",
        "openai_responses",
        "text-completion-openai",
        " openai ",
        "openai.chat",
        "openai.responses",
        "openai.speech"
      ],
      perplexity: ["Perplexity", "perplexity.ai"],
      x_ai: ["xAI", "xai", "Grok", "xai.responses"]
    },
    others: {
      fireworks_ai: ["Fireworks", "fireworks.ai", "fireworks.chat"],
      together_ai: ["Together", "together.ai", "togetherai.chat"],
      moonshot_ai: ["Moonshot", "moonshotai.chat", "Kimi"],
      alibaba: ["alibaba.chat", "DashScope"],
      voyage: ["Voyage AI"],
      jina_ai: ["Jina"],
      openrouter: ["OpenRouter"],
      "llm.example.com": ["llm.example.com", "LLM.example.com"],
      "acme.chat": ["acme.chat"],
      huggingface: ["HF", "Hugging Face"],
      ollama: ["Ollama", " ollama "]
    }
  },
  {
    kind: "database",
    attribute: "db.system.name",
    values: valuesOf("DB_SYSTEM_NAME_VALUE_"),
    aliases: {
      postgresql: ["pg", "Postgres", "PostgreSQL"],
      mysql: ["MySQL"],
      sqlite: ["SQLite", "sqlite3"],
      mongodb: ["mongo", "MongoDB"],
      "microsoft.sql_server": ["mssql", "SQL Server", "Microsoft SQL Server"],
      "oracle.db": ["oracle", "Oracle DB"],
      cockroachdb: ["cockroach", "CockroachDB"],
      elasticsearch: ["elastic", "ElasticSearch"],
      "ibm.db2": ["db2", "IBM DB2"],
      "sap.hana": ["hana", "SAP HANA"],
      "aws.dynamodb": ["dynamodb", "DynamoDB", "AWS DynamoDB"],
      "aws.redshift": ["Redshift"],
      "azure.cosmosdb": ["cosmosdb", "Cosmos DB"],
      "gcp.spanner": ["Spanner"]
    },
    others: {
      "gcp.bigquery": ["BigQuery", "google_bigquery"],
      "gcp.firestore": ["Firestore"],
      "aws.athena": ["Athena"],
      "azure.synapse": ["Synapse", "Azure Synapse"],
      timescaledb: ["TimescaleDB"],
      snowflake: ["Snowflake"]
    }
  },
  {
    kind: "messaging",
    attribute: "messaging.system",
    values: valuesOf("MESSAGING_SYSTEM_VALUE_"),
    aliases: {
      aws_sqs: ["sqs", "Amazon SQS", "aws.sqs"],
      "aws.sns": ["sns", "Amazon SNS", "aws_sns"],
      eventgrid: ["Event Grid"],
      eventhubs: ["Event Hub", "Azure Event Hubs"],
      gcp_pubsub: ["pubsub", "Google Pub/Sub", "Google Cloud Pub/Sub", "gcp.pubsub"],
      kafka: ["Kafka", "Apache Kafka"],
      rabbitmq: ["Rabbit", "RabbitMQ"],
      servicebus: ["Azure Service Bus", "service-bus"]
    },
    others: { nats: ["NATS"] }
  },
  {
    kind: "storage",
    attribute: "none, for there are no conventions",
    values: new Set(),
    aliases: {},
    others: {
      "aws.s3": ["s3", "S3", "Amazon S3", "aws_s3"],
      "gcp.cloud_storage": ["gcs", "Google Cloud Storage"],
      "azure.blob": ["Azure Blob", "Azure Blob Storage", "blob"],
      "aws.efs": ["EFS"]
    }
  },
  {
    kind: "compute",
    attribute: "none",
    values: new Set(),
    aliases: {},
    others: { "my fleet": [" My Fleet "] }
  }
]

for (const { aliases, attribute, kind, others, values } of names) {
  describe(`names of ${kind} (${attribute})`, () => {
    const normalize = kind === "llm" ? normalizeProvider : (name: string) => normalizeSystem(kind, name)

    it("are those of the conventions, where these know them", () => {
      for (const name of Object.keys(aliases)) expect(values).toContain(name)
      for (const name of Object.keys(others)) expect(values).not.toContain(name)
    })

    it("stay as the conventions have them", () => {
      for (const value of values) expect(normalize(value)).toBe(value)
    })

    for (const [name, spellings] of Object.entries({ ...aliases, ...others })) {
      it(`${name} is also ${spellings.join(", ")}`, () => {
        expect([name, ...spellings, name.toUpperCase()].map(normalize)).toEqual(Array(spellings.length + 2).fill(name))
      })
    }
  })
}

it("a provider is the same by its kind", () => {
  expect(normalizeSystem("llm", "Azure OpenAI")).toBe(normalizeProvider("Azure OpenAI"))
  expect(normalizeSystem("database", "claude")).toBe("claude")
})

it("names that data makes up are taken as they come, again and again", () => {
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 3_000; i++) expect(normalizeProvider(`Provider ${i}`)).toBe(`provider ${i}`)
  }
  expect(normalizeProvider("Azure OpenAI ")).toBe("azure.ai.openai")
  for (const name of ["__proto__", "constructor", "toString", ""])
    expect(normalizeProvider(name)).toBe(name.toLowerCase())
})

it("a name is not cut at a dot before what is no kind of model", () => {
  const names = ["openai.eu", "openai.chat", "chat", ".chat"]
  expect(names.map(normalizeProvider)).toEqual(["openai.eu", "openai", "chat", ".chat"])
})
