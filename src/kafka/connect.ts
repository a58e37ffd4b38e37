import {
  Kafka,
  logLevel,
  Partitioners,
  type CompressionTypes,
  type ICustomPartitioner,
  type Mechanism,
  type Producer,
  type ProducerConfig,
  type SASLOptions,
  type Sender,
} from 'kafkajs'
import type { KafkaConfig, KafkaSaslConfig } from '../config/config.ts'
import { PosthornError } from '../errors.ts'
import { tlsOptions } from '../tls-options.ts'
import { compressionTypes, registerCodecs } from './compression/codecs.ts'
import { bridgeKafkaLog, type KafkaLog } from './kafka-log.ts'
import { encodeRecordsOnce } from './encode-records.ts'
import { hideAbortedRecords } from './hide-aborted-records.ts'
import { oauthBearer, type BearerTokens } from './oauth-bearer.ts'
import { partitionFor } from './partition-for.ts'
import { quietRequestQueue } from './quiet-request-queue.ts'
import { refreshLeaders } from './refresh-leaders.ts'
import { rememberCoordinators } from './remember-coordinators.ts'

/** What it takes to reach a cluster. */
export type KafkaEndpoint = Pick<KafkaConfig, 'brokers' | 'tls' | 'sasl'> & Partial<Pick<KafkaConfig, 'compression'>>

export interface ConnectOptions {
  clientId: string
  log: KafkaLog
  /**
   * `worker` outlives a broker's restart of a minute; `command` gives up after some seconds, so that a person soon
   * reads why.
   */
  patience: 'worker' | 'command'
  /** For `sasl.mechanism: oauthbearer`. */
  tokens?: BearerTokens | undefined
}

const patience = {
  worker: { initialRetryTime: 200, maxRetryTime: 5_000, retries: 20 },
  command: { initialRetryTime: 200, maxRetryTime: 2_000, retries: 3 },
}
/** kafkajs's default of one second is less than a TLS handshake may take over a long or busy line. */
const connectionTimeoutMs = { worker: 10_000, command: 5_000 }
const requestTimeoutMs = { worker: 30_000, command: 15_000 }

const toSaslOptions = (sasl: KafkaSaslConfig, tokens: ConnectOptions['tokens']): SASLOptions | Mechanism => {
  if (sasl.mechanism !== 'oauthbearer') {
    // The type of kafkajs knows no union of mechanisms.
    return { mechanism: sasl.mechanism as 'plain', username: sasl.username, password: sasl.password.reveal() }
  }
  if (tokens === undefined) {
    throw new PosthornError('CONFIG_INVALID', 'kafka.sasl.mechanism: oauthbearer cannot be used here', {
      stage: 'configure',
      action: 'Use plain, scram-sha-256 or scram-sha-512.',
    })
  }
  return oauthBearer(tokens)
}

const compressing = <T extends Sender>(sender: T, compression: CompressionTypes): T => ({
  ...sender,
  send: (record) => sender.send({ compression, ...record }),
  sendBatch: (batch) => sender.sendBatch({ compression, ...batch }),
})

/** The same choice as kafkajs's own, whose hash counts in 64-bit objects. */
export const createPartitioner: ICustomPartitioner = () => {
  const withoutKey = Partitioners.DefaultPartitioner()
  return (choice) => {
    const { message, partitionMetadata } = choice
    if (message.partition !== undefined) return message.partition
    return message.key === null || message.key === undefined
      ? withoutKey(choice)
      : partitionFor(message.key, partitionMetadata.length)
  }
}

/**
 * Every producer, whoever makes it, hashes keys as the Java client does (kafkajs warns where that is not said) and writes
 * with the codec that is configured.
 */
class PosthornKafka extends Kafka {
  readonly #compression: CompressionTypes

  constructor(config: ConstructorParameters<typeof Kafka>[0], compression: CompressionTypes) {
    super(config)
    this.#compression = compression
  }

  override producer(config: ProducerConfig = {}): Producer {
    const producer = super.producer({ createPartitioner, ...config })
    return {
      ...compressing(producer, this.#compression),
      transaction: async () => compressing(await producer.transaction(), this.#compression),
    }
  }
}

/** Makes the client; nothing is connected before a producer, consumer or admin of it is. */
export const createKafka = ({ brokers, tls, sasl, compression }: KafkaEndpoint, options: ConnectOptions): Kafka => {
  registerCodecs()
  quietRequestQueue()
  encodeRecordsOnce()
  hideAbortedRecords()
  refreshLeaders()
  const config = {
    brokers: [...brokers],
    clientId: options.clientId,
    ...(tls === null ? {} : { ssl: tlsOptions(tls) }),
    ...(sasl === null ? {} : { sasl: toSaslOptions(sasl, options.tokens) }),
    connectionTimeout: connectionTimeoutMs[options.patience],
    authenticationTimeout: connectionTimeoutMs[options.patience],
    requestTimeout: requestTimeoutMs[options.patience],
    retry: patience[options.patience],
    logLevel: logLevel.WARN,
    logCreator: bridgeKafkaLog(options.log),
  }
  const kafka = new PosthornKafka(config, compressionTypes[compression ?? 'none'])
  rememberCoordinators(kafka)
  return kafka
}
