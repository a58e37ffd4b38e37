/**
 * What an error of the Kafka client means (pure, total). Decides on error names and protocol codes, which the client
 * buries under retry wrappers; it knows them by name, so that this file needs no client library.
 */
import { isPosthornError, PosthornError, toPosthornError, type ErrorCode, type Stage } from '../errors.ts'
import { networkFailureOf, sayNetworkFailure, type NetworkFailure } from '../network-failure.ts'

interface Verdict {
  code: ErrorCode
  retryable: boolean
  action: string
}

/** The fields that kafkajs's errors and Node's socket errors may have. */
interface Fault {
  name?: unknown
  message?: unknown
  type?: unknown
  code?: unknown
  retriable?: unknown
  broker?: unknown
  topic?: unknown
  cause?: unknown
  errors?: unknown
}

const fenced: Verdict = {
  code: 'KAFKA_FENCED',
  retryable: false,
  action: 'Another worker owns this partition now; this one joins the group again.',
}
const unauthenticated: Verdict = {
  code: 'KAFKA_AUTHENTICATION_FAILED',
  retryable: false,
  action: 'Check kafka.sasl: mechanism, username and password, and that the broker has this user.',
}
const unauthorized: Verdict = {
  code: 'KAFKA_AUTHENTICATION_FAILED',
  retryable: false,
  action: 'The login is fine but lacks a permission: grant this user the ACL that the message names.',
}
const tooLarge: Verdict = {
  code: 'RECORD_TOO_LARGE',
  retryable: false,
  action: "Raise the topic's max.message.bytes, or pass large content by reference to the object store.",
}
const topicMissing: Verdict = {
  code: 'KAFKA_TOPIC_UNSUITABLE',
  retryable: true,
  action: 'Create the topic (posthorn topics create), or correct its name.',
}
const topicRefused: Verdict = {
  code: 'KAFKA_TOPIC_UNSUITABLE',
  retryable: false,
  action: 'Check kafka.topics: the names, and partitions and replication against what the cluster allows.',
}
const unreachable: Verdict = {
  code: 'KAFKA_UNREACHABLE',
  retryable: true,
  action:
    'Check kafka.brokers and that the broker is up; kafka.ssl if the port expects TLS, kafka.sasl if it expects a login.',
}
const codecMissing: Verdict = {
  code: 'KAFKA_FAILED',
  retryable: false,
  action: 'The topic holds records compressed with a codec that is not installed here; gzip always works.',
}

const byType: Readonly<Record<string, Verdict>> = {
  INVALID_PRODUCER_EPOCH: fenced,
  FENCED_INSTANCE_ID: fenced,
  SASL_AUTHENTICATION_FAILED: unauthenticated,
  UNSUPPORTED_SASL_MECHANISM: unauthenticated,
  ILLEGAL_SASL_STATE: unauthenticated,
  TOPIC_AUTHORIZATION_FAILED: unauthorized,
  GROUP_AUTHORIZATION_FAILED: unauthorized,
  CLUSTER_AUTHORIZATION_FAILED: unauthorized,
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: unauthorized,
  MESSAGE_TOO_LARGE: tooLarge,
  RECORD_LIST_TOO_LARGE: tooLarge,
  UNKNOWN_TOPIC_OR_PARTITION: topicMissing,
  INVALID_TOPIC_EXCEPTION: topicRefused,
  INVALID_PARTITIONS: topicRefused,
  INVALID_REPLICATION_FACTOR: topicRefused,
  INVALID_REPLICA_ASSIGNMENT: topicRefused,
  INVALID_CONFIG: topicRefused,
  POLICY_VIOLATION: topicRefused,
  // A key-less record for a compacted topic.
  INVALID_RECORD: topicRefused,
  UNSUPPORTED_COMPRESSION_TYPE: codecMissing,
}

const byName: Readonly<Record<string, Verdict>> = {
  KafkaJSSASLAuthenticationError: unauthenticated,
  KafkaJSConnectionError: unreachable,
  KafkaJSConnectionClosedError: unreachable,
  KafkaJSRequestTimeoutError: unreachable,
  KafkaJSBrokerNotFound: unreachable,
  KafkaJSNoBrokerAvailableError: unreachable,
  KafkaJSGroupCoordinatorNotFound: unreachable,
  KafkaJSTimeout: unreachable,
  KafkaJSLockTimeout: unreachable,
  KafkaJSNotImplemented: codecMissing,
}

/** PRODUCER_FENCED (KIP-360) is newer than kafkajs 2.2.4, which keeps an unknown code nowhere but in the message. */
const producerFencedMessage = 'Unknown error code 90'
/** A plain error of kafkajs: what accepted the connection never answered, so its versions are not known. */
const neverAnsweredMessage = 'Broker not connected'

const lookUp = (table: Readonly<Record<string, Verdict>>, key: unknown): Verdict | undefined =>
  typeof key === 'string' && Object.hasOwn(table, key) ? table[key] : undefined

const judge = (fault: Fault): Verdict | undefined => {
  if (fault.message === producerFencedMessage) return fenced
  if (fault.message === neverAnsweredMessage) return unreachable
  return lookUp(byType, fault.type) ?? lookUp(byName, fault.name)
}

/** The error and everything that it wraps, outermost first. */
const unwrap = (error: unknown): Fault[] => {
  const faults: Fault[] = []
  const queue: unknown[] = [error]
  for (const next of queue) {
    if (typeof next !== 'object' || next === null || faults.includes(next)) continue
    const fault: Fault = next
    faults.push(fault)
    queue.push(fault.cause, ...(Array.isArray(fault.errors) ? fault.errors : []))
  }
  return faults
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''

const describe = ({ message, type, broker, topic }: Fault): string => {
  const text = [message, type].find(isText) ?? 'no reason given'
  const place = typeof topic === 'string' ? ` (topic ${topic})` : ''
  const where = typeof broker === 'string' && !text.includes(broker) ? ` (broker ${broker})` : place
  return `Kafka: ${text}${where}`
}

const isOfTheClient = ({ name }: Fault): boolean => typeof name === 'string' && name.startsWith('KafkaJS')

/** A certificate that is refused now is refused the next time; a broker that is down may come back. */
const ofNetwork = (network: NetworkFailure, { broker }: Fault, stage: Stage, cause: unknown): PosthornError =>
  new PosthornError(
    network.tls ?? 'KAFKA_UNREACHABLE',
    sayNetworkFailure(network, `Kafka broker ${typeof broker === 'string' ? broker : ''}`.trimEnd()),
    { stage, retryable: network.tls === null, action: `${network.action} See kafka.brokers and kafka.ssl.`, cause },
  )

/**
 * @returns an error that says what failed and what to do. `KAFKA_FENCED`: this producer or member has a successor.
 *   `RECORD_TOO_LARGE`: nothing of that request was written. Every other code leaves open whether it was.
 */
export const classifyKafkaError = (error: unknown, stage: Stage): PosthornError => {
  if (isPosthornError(error)) return error
  const faults = unwrap(error)
  // Ours, of a token that can't be had or is refused, under the client's retries.
  const own = faults.find(isPosthornError)
  if (own !== undefined) return own
  for (const fault of faults.toReversed()) {
    const verdict = judge(fault)
    if (verdict === undefined) continue
    const network = verdict === unreachable ? networkFailureOf(fault) : null
    if (network !== null) return ofNetwork(network, fault, stage, error)
    const { code, retryable, action } = verdict
    return new PosthornError(code, describe(fault), { stage, retryable, action, cause: error })
  }
  const innermost = faults.findLast(isOfTheClient)
  if (innermost === undefined) return toPosthornError(error, stage)
  const retryable = innermost.retriable !== false
  return new PosthornError('KAFKA_FAILED', describe(innermost), { stage, retryable, cause: error })
}
