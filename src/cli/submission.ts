/**
 * Publishes send requests and, where asked, waits for their final results.
 *
 * A request that can't be encoded or is too large fails alone and the rest goes on; when Kafka fails, nothing more is
 * sent. Every request that was not published, and every result that is not DELIVERED, makes the exit code 1.
 */
import type { SendResult } from '../avro/records.ts'
import { PosthornError, toPosthornError } from '../errors.ts'
import type { RecordProducer } from '../kafka/record-producer.ts'
import { awaitResults, Expectations } from './await-results.ts'
import type { CliContext } from './context.ts'
import type { RecordReader } from './kafka-clients.ts'
import { formatError } from './report-error.ts'
import type { RequestLine } from './request-input.ts'

export interface SubmissionOptions {
  /** Key of the records. */
  key: string | null
  wait: boolean
  /** Longest wait for results. Null: as long as it takes. */
  timeoutMs: number | null
}

/** Requests that are encoded and not yet acknowledged. */
const mostInFlight = 64

/** These say that one request can't be published; everything else, that none can. */
const concernsOneRequest = ({ code }: PosthornError): boolean => /^(RECORD|REQUEST)_/.test(code)

export class Submission {
  readonly #context: CliContext
  readonly #options: SubmissionOptions
  readonly #producer: RecordProducer
  readonly #reader: RecordReader | null
  readonly #expected: Expectations
  readonly #results: Promise<void>
  readonly #inFlight = new Set<Promise<void>>()
  #broken: PosthornError | null = null

  private constructor(context: CliContext, options: SubmissionOptions, reader: RecordReader | null) {
    this.#context = context
    this.#options = options
    this.#reader = reader
    this.#producer = context.kafka().producer()
    this.#expected = new Expectations(() => void reader?.close())
    this.#results = reader === null ? Promise.resolve() : this.#awaitResults(reader)
    // Read in `finish`; a failure must not count as unhandled until then.
    this.#results.catch(() => undefined)
  }

  /** With `wait`, no result of what is added can be missed. @throws PosthornError */
  static async open(context: CliContext, options: SubmissionOptions): Promise<Submission> {
    const topic = context.config().kafka.topics.sendResults
    const reader = options.wait ? await context.kafka().read({ topic, from: 'latest', untilEnd: false }) : null
    return new Submission(context, options, reader)
  }

  /** True once Kafka failed: adding more is useless. */
  get isBroken(): boolean {
    return this.#broken !== null || this.#context.io.signal.aborted
  }

  /** @param label begins the message when it fails. @throws PosthornError when it can't be encoded */
  async add({ id, request }: RequestLine, label: string): Promise<void> {
    const topic = this.#context.config().kafka.topics.sendRequests
    const value = await this.#context.codec().encodeInput('SendRequest', request, topic)
    this.#expected.add(id)
    const sending = this.#producer
      .send([{ topic, key: this.#options.key, value }])
      .then(() => (this.#options.wait ? undefined : this.#context.printJson({ id })))
      .catch((error: unknown) => {
        this.#expected.settle(id)
        return this.reject(error, label)
      })
      .finally(() => this.#inFlight.delete(sending))
    this.#inFlight.add(sending)
    if (this.#inFlight.size >= mostInFlight) await Promise.race(this.#inFlight)
  }

  /** Reports a request that was not published. */
  async reject(thrown: unknown, label: string): Promise<void> {
    const { message, ...error } = toPosthornError(thrown, 'publish')
    const labelled = new PosthornError(error.code, `${label}${message}`, {
      stage: error.stage,
      retryable: error.retryable,
      ...(error.action === null ? {} : { action: error.action }),
      cause: thrown,
    })
    this.#context.exitCode = 1
    if (concernsOneRequest(labelled)) {
      this.#context.progress(formatError(labelled, this.#context.options.debug).trimEnd())
    } else {
      this.#broken ??= labelled
    }
  }

  /** @throws PosthornError when Kafka failed, or when results are missing at the timeout or the interrupt */
  async finish(): Promise<void> {
    await Promise.all(this.#inFlight)
    if (this.#broken !== null) throw this.#broken
    this.#expected.complete()
    if (this.#reader === null) return
    const { timeoutMs } = this.#options
    const timer = timeoutMs === null ? undefined : setTimeout(() => void this.#reader?.close(), timeoutMs)
    if (this.#expected.size > 0) this.#context.progress(`waiting for ${this.#expected.size} result(s)`)
    await this.#results.finally(() => clearTimeout(timer))
    const missing = this.#expected.size
    if (missing === 0) return
    throw new PosthornError('STOPPED', `${missing} request(s) were accepted and have no final result yet`, {
      stage: 'stop',
      action: 'They are not lost: posthorn tail sendResults shows what becomes of them. Is posthorn run up?',
    })
  }

  #awaitResults(reader: RecordReader): Promise<void> {
    return awaitResults<SendResult>({
      reader,
      expected: this.#expected,
      decode: (value) => this.#context.codec().decode('SendResult', value),
      isFinal: ({ status }) => status !== 'DEFERRED',
      onResult: async (result, isFinal) => {
        if (!isFinal) {
          const { id, attempt, error } = result
          this.#context.progress(`${id}: attempt ${attempt} failed and will be repeated: ${error?.message ?? ''}`)
          return
        }
        if (result.status !== 'DELIVERED') this.#context.exitCode = 1
        await this.#context.printJson(result)
      },
    })
  }
}
