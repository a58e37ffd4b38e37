import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import kafkajs from 'kafkajs'
import { PosthornError } from '../../src/errors.ts'
import { classifyKafkaError } from '../../src/kafka/classify-kafka-error.ts'

const {
  KafkaJSAggregateError,
  KafkaJSConnectionError,
  KafkaJSError,
  KafkaJSNonRetriableError,
  KafkaJSNumberOfRetriesExceeded,
  KafkaJSProtocolError,
} = kafkajs

/** Errors as kafkajs makes them from a response; its types hide the constructors' real parameters. */
const protocolError = (type: string, code: number, retriable = false, message = `broker says ${type}`) =>
  new KafkaJSProtocolError({ message, type, code, retriable } as unknown as Error)
const unknownCode = (code: number) =>
  protocolError('KAFKAJS_UNKNOWN_ERROR_CODE', -99, false, `Unknown error code ${code}`)
const gaveUp = (cause: Error) => new KafkaJSNumberOfRetriesExceeded(cause, { retryCount: 5, retryTime: 1_000 })
/** How the retrier passes on what it may not retry; the types leave the second parameter out. */
const retriedInVain = (cause: Error) => Object.assign(new KafkaJSNonRetriableError(cause), { cause })
const connectionError = (message: string, code?: string) =>
  Object.assign(new KafkaJSConnectionError(message, { broker: 'kafka.example:9092' }), { code })

const classify = (error: unknown) => {
  const { code, retryable } = classifyKafkaError(error, 'publish')
  return { code, retryable }
}

describe('classifyKafkaError', () => {
  it('recognises a fenced producer by epoch and by the code that kafkajs does not know', () => {
    const expected = { code: 'KAFKA_FENCED', retryable: false }
    assert.deepEqual(classify(protocolError('INVALID_PRODUCER_EPOCH', 47)), expected)
    assert.deepEqual(classify(unknownCode(90)), expected)
    assert.deepEqual(classify(gaveUp(unknownCode(90))), expected)
  })

  it('takes no other unknown code for fencing', () => {
    assert.deepEqual(classify(unknownCode(900)), { code: 'KAFKA_FAILED', retryable: false })
    assert.deepEqual(classify(protocolError('TRANSACTION_COORDINATOR_FENCED', 52)), {
      code: 'KAFKA_FAILED',
      retryable: false,
    })
  })

  it('finds the reason under the wrappers of the retrier', () => {
    const inner = connectionError('Connection error: connect ECONNREFUSED', 'ECONNREFUSED')
    const error = classifyKafkaError(gaveUp(inner), 'start')
    assert.equal(error.code, 'KAFKA_UNREACHABLE')
    assert.equal(error.retryable, true)
    assert.match(error.message, /broker kafka\.example:9092: nothing listens there \(ECONNREFUSED\)/)
    assert.match(error.action ?? '', /kafka\.brokers/)
    assert.equal(error.stage, 'start')
  })

  it('tells a certificate from a broker that is down', () => {
    const error = classifyKafkaError(
      connectionError('Connection error: self-signed', 'DEPTH_ZERO_SELF_SIGNED_CERT'),
      'start',
    )
    assert.equal(error.retryable, false)
    assert.match(error.action ?? '', /CA that signed/)
  })

  it('tells a wrong login from a missing permission', () => {
    const wrong = classifyKafkaError(
      Object.assign(new KafkaJSNonRetriableError('SASL PLAIN failed'), { name: 'KafkaJSSASLAuthenticationError' }),
      'start',
    )
    const denied = classifyKafkaError(retriedInVain(protocolError('TOPIC_AUTHORIZATION_FAILED', 29)), 'start')
    assert.equal(wrong.code, 'KAFKA_AUTHENTICATION_FAILED')
    assert.equal(denied.code, 'KAFKA_AUTHENTICATION_FAILED')
    assert.match(wrong.action ?? '', /password/)
    assert.match(denied.action ?? '', /ACL/)
  })

  it('reads the members of an aggregate and names the topic', () => {
    const refused = Object.assign(protocolError('INVALID_REPLICATION_FACTOR', 38), { topic: 'mail.inbound' })
    const error = classifyKafkaError(new KafkaJSAggregateError('Topic creation errors', [refused]), 'start')
    assert.equal(error.code, 'KAFKA_TOPIC_UNSUITABLE')
    assert.match(error.message, /topic mail\.inbound/)
  })

  it('says that a record is too large, which trying again does not help', () => {
    assert.deepEqual(classify(gaveUp(protocolError('MESSAGE_TOO_LARGE', 10))), {
      code: 'RECORD_TOO_LARGE',
      retryable: false,
    })
  })

  it('keeps what the client says of errors that have no name here', () => {
    assert.deepEqual(classify(new KafkaJSError('odd')), { code: 'KAFKA_FAILED', retryable: true })
    assert.deepEqual(classify(protocolError('NOT_ENOUGH_REPLICAS', 19, true)), {
      code: 'KAFKA_FAILED',
      retryable: true,
    })
    assert.deepEqual(classify(new KafkaJSNonRetriableError('producer is disconnected')), {
      code: 'KAFKA_FAILED',
      retryable: false,
    })
  })

  it('leaves a PosthornError as it is, and takes a stranger for an internal error', () => {
    const own = new PosthornError('STOPPED', 'stopping', { stage: 'stop' })
    assert.equal(classifyKafkaError(own, 'publish'), own)
    assert.deepEqual(classify(new TypeError('x is undefined')), { code: 'INTERNAL', retryable: true })
    assert.deepEqual(classify(undefined), { code: 'INTERNAL', retryable: true })
  })

  it('survives an error that causes itself', () => {
    const error: Error & { cause?: unknown } = new KafkaJSError('loop')
    error.cause = error
    assert.equal(classify(error).code, 'KAFKA_FAILED')
  })
})
