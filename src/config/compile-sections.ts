/** The sections that are no accounts: defaults filled in, contradictions reported. Pure. */

import type { Report } from './check-shape.ts'
import { compileOAuth2 } from './compile-auth.ts'
import { compileTls, type Compilation } from './compile-tls.ts'
import type {
  AvroConfig,
  HttpConfig,
  KafkaConfig,
  KafkaSaslConfig,
  OAuthStoreConfig,
  RetryTier,
  SendConfig,
  StorageConfig,
  TopicsConfig,
} from './config.ts'
import { sendStateTopic, sendStepsTopic } from './derived-topics.ts'
import type { AvroSource, HttpSource, KafkaSource, OAuthSource, SendSource, StorageSource } from './schema.ts'
import { Secret } from './secret.ts'
import { parseDurationMs } from './units.ts'
import { isLoopback } from './values.ts'

const secretOrNull = (value: string | undefined): Secret | null => (value === undefined ? null : new Secret(value))

const withoutSlash = (url: string): string => url.replace(/\/+$/, '')

const compileSasl = (sasl: NonNullable<KafkaSource['sasl']>, compilation: Compilation): KafkaSaslConfig => {
  if (sasl.mechanism !== 'oauthbearer') {
    return { mechanism: sasl.mechanism, username: sasl.username, password: new Secret(sasl.password) }
  }
  const at = ['kafka', 'sasl', 'oauth2']
  if (sasl.oauth2.grant === 'authorization_code') {
    compilation.report([...at, 'grant'], 'must be client_credentials or jwt_bearer: nobody is there to log in')
  }
  return {
    mechanism: 'oauthbearer',
    oauth2: compileOAuth2(sasl.oauth2, 'kafka', sasl.oauth2.clientId, at, compilation),
  }
}

export const compileKafka = (source: KafkaSource, compilation: Compilation): KafkaConfig => {
  const tls = source.ssl === true ? {} : source.ssl
  return {
    brokers: source.brokers,
    clientId: source.clientId,
    tls: tls === false ? null : compileTls(tls, ['kafka', 'ssl'], compilation),
    sasl: source.sasl === undefined ? null : compileSasl(source.sasl, compilation),
    group: source.group,
    sessionTimeoutMs: source.sessionTimeout,
    compression: source.compression,
    topics: { ...source.topics, replication: source.topics.replication ?? null },
  }
}

/** Two streams in one topic could never be told apart again. */
export const reportTopicClashes = (topics: TopicsConfig, tiers: readonly RetryTier[], report: Report): void => {
  const { partitions: _, replication: __, sendRetries: ___, ...names } = topics
  const users = new Map<string, string>()
  for (const tier of tiers) users.set(tier.topic, `the retry topic of tier ${tier.label}`)
  users.set(sendStateTopic(topics), 'the topic of the ids of sendRequests')
  users.set(sendStepsTopic(topics), 'the topic of the steps of sendRequests')
  if (sendStateTopic(topics).length > 249) {
    report(['kafka', 'topics', 'sendRequests'], 'must leave room for .state: a topic name has at most 249')
  }
  for (const [key, topic] of Object.entries(names)) {
    const other = users.get(topic)
    if (other !== undefined) report(['kafka', 'topics', key], `must differ from ${other}`)
    users.set(topic, key)
  }
}

export const compileAvro = (source: AvroSource, compilation: Compilation): AvroConfig => {
  const { encoding, registry } = source
  if (encoding === 'confluent' && registry === undefined) {
    compilation.report(['avro', 'registry'], 'is required with encoding: confluent')
  }
  if (registry === undefined) return { encoding, registry: null }
  const at = ['avro', 'registry']
  if (registry.username === undefined && registry.password !== undefined) {
    compilation.report([...at, 'password'], 'needs username')
  }
  if (registry.username !== undefined && registry.password === undefined) {
    compilation.report([...at, 'username'], 'needs password')
  }
  return {
    encoding,
    registry: {
      url: withoutSlash(registry.url),
      username: registry.username ?? null,
      password: secretOrNull(registry.password),
      tls: compileTls(registry, at, compilation),
    },
  }
}

export const compileStorage = (source: StorageSource, compilation: Compilation): StorageConfig => {
  const { accessKeyId, secretAccessKey, sessionToken } = source
  if (accessKeyId !== undefined && secretAccessKey === undefined) {
    compilation.report(['storage', 'accessKeyId'], 'needs secretAccessKey')
  }
  if (accessKeyId === undefined && secretAccessKey !== undefined) {
    compilation.report(['storage', 'secretAccessKey'], 'needs accessKeyId')
  }
  if (accessKeyId === undefined && sessionToken !== undefined) {
    compilation.report(['storage', 'sessionToken'], 'needs accessKeyId and secretAccessKey')
  }
  return {
    endpoint: source.endpoint === undefined ? null : withoutSlash(source.endpoint),
    region: source.region,
    bucket: source.bucket,
    prefix: source.prefix,
    pathStyle: source.pathStyle ?? source.endpoint !== undefined,
    accessKeyId: accessKeyId ?? null,
    secretAccessKey: secretOrNull(secretAccessKey),
    sessionToken: secretOrNull(sessionToken),
    readableBuckets: source.readableBuckets ?? [source.bucket],
    connections: source.connections,
    tls: compileTls(source, ['storage'], compilation),
  }
}

export const compileSend = (source: SendSource, retryTopics: string, report: Report): SendConfig => {
  const tiers = source.retry.tiers.map((label): RetryTier => ({
    label,
    delayMs: parseDurationMs(label),
    topic: `${retryTopics}.${label}`,
  }))
  for (const [index, tier] of tiers.entries()) {
    const previous = tiers[index - 1]
    if (previous !== undefined && tier.delayMs <= previous.delayMs) {
      report(['send', 'retry', 'tiers', index], `must be longer than ${previous.label} before it: tiers ascend`)
    }
    if (tier.topic.length > 249) {
      report(['kafka', 'topics', 'sendRetries'], `must leave room for .${tier.label}: a topic name has at most 249`)
    }
  }
  return {
    concurrency: source.concurrency,
    retry: { tiers, maxAgeMs: source.retry.maxAge },
    dedupeWindowMs: source.dedupeWindow,
    dedupeMaxIds: source.dedupeMaxIds,
  }
}

export const compileHttp = (source: HttpSource, report: Report): HttpConfig => {
  if (source.token === undefined && !isLoopback(source.host)) {
    report(['http', 'token'], `is required because ${source.host} can be reached from other machines`)
  }
  return { host: source.host, port: source.port, token: secretOrNull(source.token) }
}

/** An AES-256 key, written as base64 (also URL-safe) or hex; null where it is no such thing. */
const asKey = (text: string): Secret | null => {
  const bytes = /^[0-9A-Fa-f]{64}$/.test(text) ? Buffer.from(text, 'hex') : Buffer.from(text, 'base64')
  return bytes.length === 32 && /^[A-Za-z0-9+/_-]+={0,2}$/.test(text) ? new Secret(bytes.toString('base64')) : null
}

export const compileOAuthStore = (source: OAuthSource, report: Report): OAuthStoreConfig => {
  const rule = 'must be 32 random bytes as base64 or hex, such as `openssl rand -base64 32` prints'
  const encryptionKey = source.encryptionKey === undefined ? null : asKey(source.encryptionKey)
  if (source.encryptionKey !== undefined && encryptionKey === null) report(['oauth', 'encryptionKey'], rule)
  const previousKeys = source.previousKeys.flatMap((text, index) => {
    const key = asKey(text)
    if (key === null) report(['oauth', 'previousKeys', index], rule)
    return key === null ? [] : [key]
  })
  return { encryptionKey, previousKeys }
}
