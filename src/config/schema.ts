/** The configuration file as it is written. The descriptions become docs and the JSON Schema. Pure. */

import { z } from 'zod'

import { account, accountName } from './account-schema.ts'
import { oauth2, tlsKeys } from './connection-schema.ts'
import {
  broker,
  bucket,
  duration,
  durationLabel,
  flag,
  host,
  integer,
  line,
  oneOf,
  secret,
  sessionTimeout,
  size,
  topic,
  url,
} from './values.ts'

const topics = z.strictObject({
  sendRequests: topic.prefault('mail.send.requests').describe('Requests to send mail.'),
  sendRetries: topic
    .prefault('mail.send.retries')
    .describe('Prefix of the retry topics; a dot and the delay follow, one topic for each tier.'),
  sendResults: topic.prefault('mail.send.results').describe('Results of requests.'),
  inbound: topic.prefault('mail.inbound').describe('Received messages.'),
  commands: topic.prefault('mail.commands').describe('Mailbox commands; its partitions own the mailboxes.'),
  commandResults: topic.prefault('mail.command.results').describe('Results of commands.'),
  deadLetters: topic.prefault('mail.dead-letters').describe('Records that could not be handled.'),
  checkpoints: topic.prefault('mail.checkpoints').describe('How far each folder was read; compacted.'),
  oauthTokens: topic.prefault('mail.oauth-tokens').describe('Encrypted OAuth tokens; compacted.'),
  partitions: integer(1, 10_000).prefault(12).describe('Partitions of topics that Posthorn creates.'),
  replication: integer(1, 100)
    .optional()
    .describe('Replicas of topics that Posthorn creates. Without it: the broker’s default.'),
})

const login = {
  username: line(320).describe('User name.'),
  password: secret.describe('Password.'),
}

const sasl = z.discriminatedUnion(
  'mechanism',
  [
    z.strictObject({
      mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).describe('How to log in.'),
      ...login,
    }),
    z.strictObject({
      mechanism: z.literal('oauthbearer').describe('How to log in.'),
      oauth2: oauth2.describe('A grant without a person.'),
    }),
  ],
  'must be plain, scram-sha-256, scram-sha-512 or oauthbearer',
)

const kafka = z.strictObject({
  brokers: z.array(broker).min(1, 'must name at least one broker').describe('Brokers to begin with, each `host:port`.'),
  clientId: line(249, 'a name').prefault('posthorn').describe('Name under which the broker logs this client.'),
  ssl: z
    .union([flag, z.strictObject(tlsKeys)], 'must be true, false or an object of TLS options')
    .prefault(false)
    .describe('TLS: `true` for the public certificate authorities, or an object.'),
  sasl: sasl.optional().describe('Login. Without it: none.'),
  group: line(200, 'a name').prefault('posthorn').describe('Prefix of the consumer groups and transactional ids.'),
  sessionTimeout: sessionTimeout
    .prefault('30s')
    .describe(
      'Silence after which the group gives a worker up and another takes its partitions over. Brokers take 6 s or more.',
    ),
  compression: oneOf('none', 'gzip', 'snappy', 'lz4', 'zstd')
    .prefault('none')
    .describe('Codec of the records that Posthorn writes; it reads all of them.'),
  topics: topics.prefault({}).describe('Names of the topics, and how missing ones are created.'),
})

const registry = z.strictObject({
  url: url.describe('Base URL of the Confluent-compatible API.'),
  username: line(320).optional().describe('User name of basic authentication; needs `password`.'),
  password: secret.optional().describe('Password of basic authentication.'),
  ...tlsKeys,
})

const avro = z.strictObject({
  encoding: oneOf('single-object', 'confluent')
    .prefault('single-object')
    .describe('What is written: Avro single-object, or the Confluent wire format. Both are read.'),
  registry: registry.optional().describe('Schema registry; required with `confluent`.'),
})

const storage = z.strictObject({
  endpoint: url.optional().describe('URL of the S3 service. Without it: that of AWS in `region`.'),
  region: line(64, 'a region').prefault('us-east-1').describe('Region that requests are signed for.'),
  bucket: bucket.describe('Where attachments are stored; must exist.'),
  prefix: line(200, 'a prefix')
    .regex(/^(?!\/)(?!.*\/\/)(?!.*\/$)(?!(?:.*\/)?\.\.?(?:\/|$))[A-Za-z0-9!_.*'()/-]+$/, {
      error: "must be of A-Z a-z 0-9 ! _ . * ' ( ) - and single inner slashes, no part being . or ..",
    })
    .prefault('attachments')
    .describe('First part of every key.'),
  pathStyle: flag
    .optional()
    .describe(
      '`true`: `endpoint/bucket/key`; `false`: `bucket.endpoint/key`. Without it: `true` where `endpoint` is given.',
    ),
  accessKeyId: line(256).optional().describe('Without it: the AWS SDK’s own search (environment, instance role).'),
  secretAccessKey: secret.optional().describe('Needs `accessKeyId`.'),
  sessionToken: secret.optional().describe('Of temporary credentials.'),
  readableBuckets: z
    .array(bucket)
    .optional()
    .describe('Buckets from which requests may attach objects. Without it: `bucket` alone.'),
  connections: integer(1, 1000).prefault(32).describe('Most sockets at once.'),
  ...tlsKeys,
})

const retry = z.strictObject({
  tiers: z
    .array(durationLabel)
    .min(1, 'must name at least one delay')
    .max(16, 'must name at most 16 delays')
    .prefault(['1m', '10m', '1h'])
    .describe('Ascending delays, one retry topic for each; the last one repeats.'),
  maxAge: duration.prefault('24h').describe('How long a request is tried before it is EXPIRED.'),
})

const send = z.strictObject({
  concurrency: integer(1, 1000)
    .prefault(256)
    .describe('Most deliveries of an account at once in one worker; no more can be repeated after a crash.'),
  retry: retry.prefault({}).describe('When a failed delivery is tried again.'),
  dedupeWindow: duration.prefault('24h').describe('How long a request’s id is remembered.'),
  dedupeMaxIds: integer(1, 100_000_000)
    .prefault(1_000_000)
    .describe('Most ids remembered, 350 bytes of memory each; the oldest go first.'),
})

const limits = z.strictObject({
  maxMessageBytes: size.prefault('150MB').describe('A larger message is not read, nor sent.'),
  maxInlineBodyBytes: size.prefault('256KB').describe('A larger text or HTML body goes to the object store.'),
  maxParts: integer(1, 1_000_000).prefault(10_000).describe('Most MIME parts of a message that are told apart.'),
})

const http = z.strictObject({
  host: host.prefault('127.0.0.1').describe('Address to listen on.'),
  port: integer(0, 65_535).prefault(8080).describe('Port to listen on; 0 takes a free one.'),
  token: secret.optional().describe('Bearer token; required where `host` is not a loopback address.'),
})

const oauth = z.strictObject({
  encryptionKey: secret
    .optional()
    .describe('32 bytes as base64 or hex, for stored tokens (AES-256-GCM). Without it: no login by a person.'),
  previousKeys: z.array(secret).prefault([]).describe('Older keys with which stored tokens may be encrypted.'),
})

/** Each section has its own schema, so that a mistake in one does not hide those in another. */
export const sections = {
  kafka: kafka.describe('The broker.'),
  avro: avro.prefault({}).describe('How records are written.'),
  storage: storage.optional().describe('The S3 service; required where an account receives.'),
  send: send.prefault({}).describe('Sending.'),
  limits: limits.prefault({}).describe('Bounds on messages.'),
  http: http.optional().describe('Health, readiness and metrics. Without it: no listener.'),
  oauth: oauth.prefault({}).describe('Where OAuth tokens are kept.'),
}

export { account, accountName }

/** The whole file, for the JSON Schema. */
export const configFile = z.strictObject({
  ...sections,
  accounts: z.record(accountName, account).prefault({}).describe('Mail accounts by name.'),
})

export type KafkaSource = z.output<typeof kafka>
export type AvroSource = z.output<typeof avro>
export type StorageSource = z.output<typeof storage>
export type SendSource = z.output<typeof send>
export type HttpSource = z.output<typeof http>
export type OAuthSource = z.output<typeof oauth>
