/**
 * The outbound flow of one owned partition: intake → decode → lane of the account → settle → commit.
 *
 * - Intake is one record at a time, in offset order, so that records with the same key reach their lane in order.
 * - Each account has a lane of its own: a slow server holds up nobody else's mail.
 * - A record keeps its place in the lane until its settlement is committed. What is in flight is therefore all that a
 *   crash can repeat.
 * - A record that is not due yet waits in memory, uncommitted; its topic is paused when too many wait.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { SendRequest } from '../avro/records.ts'
import { toPosthornError, type PosthornError } from '../errors.ts'
import { OffsetTracker, maxSpan } from '../kafka/offset-tracker.ts'
import type { Positions } from '../kafka/partition-ledger.ts'
import type { PartitionContext, PartitionOwner } from '../kafka/partition-owner.ts'
import type { ConsumedRecord } from '../kafka/records.ts'
import { SettlementBatcher, type BatcherOptions, type Settlement } from '../kafka/settlement-batcher.ts'
import type { Awaited } from '../readiness.ts'
import { KeyedQueue } from './keyed-queue.ts'
import type { SendHistory } from './send-history.ts'
import type { RequestLog } from './request-log.ts'

export interface SendJob {
  record: ConsumedRecord
  request: SendRequest
  history: SendHistory
}

/** Commits records of their own before the settlement. */
export type WriteAhead = (settlement: Settlement) => Promise<void>

/** The decisions of the flow, without its scheduling. */
export interface SendFlow {
  /** @throws PosthornError retryable: try the same record again later; otherwise it is a dead letter */
  decode(record: ConsumedRecord): Promise<SendJob>
  /** What to write for a record that can't be decoded. */
  reject(record: ConsumedRecord, error: PosthornError): Settlement
  /** Sends, and says what to write. Never rejects. */
  settle(job: SendJob, log: RequestLog, writeAhead: WriteAhead): Promise<Settlement>
}

export interface SendPartitionOptions {
  /** Most records of one account in flight. */
  concurrency: number
  inputTopics: readonly string[]
  log: RequestLog
  replaceTooLarge: BatcherOptions['replaceTooLarge']
  now: () => number
}

/** Intake of a topic stops at so many unsettled records or bytes, and goes on at half of it. */
const maxBufferedRecords = 1_000
const maxBufferedBytes = 8 * 1_048_576
const decodeRetryMs = 1_000
const leasePollMs = 200
const longestTimerMs = 2 ** 31 - 1

interface Buffered {
  records: number
  bytes: number
  isPaused: boolean
}

export class SendPartition implements PartitionOwner {
  readonly #context: PartitionContext
  readonly #flow: SendFlow
  readonly #options: SendPartitionOptions
  readonly #trackers = new Map<string, OffsetTracker>()
  readonly #buffered = new Map<string, Buffered>()
  readonly #lanes = new Map<string, KeyedQueue<SendJob>>()
  readonly #running = new Map<string, Promise<void>>()
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #batcher: SettlementBatcher
  #intake: Promise<void> = Promise.resolve()
  #isHeld = false
  #isReleased = false

  constructor(context: PartitionContext, flow: SendFlow, options: SendPartitionOptions) {
    this.#context = context
    this.#flow = flow
    this.#options = options
    this.#batcher = new SettlementBatcher({
      ledger: context.ledger,
      trackers: this.#trackers,
      replaceTooLarge: options.replaceTooLarge,
      onFailed: (error) => this.#onCommitFailed(error),
    })
  }

  /** It sends from the moment that it runs. */
  get awaited(): readonly Awaited[] {
    return []
  }

  replay(record: ConsumedRecord): void {
    this.#options.log.replay(record)
  }

  begin(positions: Positions): void {
    for (const topic of this.#options.inputTopics) {
      this.#trackers.set(topic, new OffsetTracker(positions.get(topic) ?? { offset: 0, settledBeyond: [] }))
      this.#buffered.set(topic, { records: 0, bytes: 0, isPaused: false })
    }
  }

  accept(records: readonly ConsumedRecord[]): void {
    for (const record of records) {
      if (this.#trackers.get(record.topic)?.accept(record.offset) !== true) continue
      this.#count(record, 1)
      this.#intake = this.#intake.then(() => this.#take(record))
    }
  }

  async drain(signal: AbortSignal): Promise<void> {
    this.#isHeld = true
    for (const lane of this.#lanes.values()) lane.hold()
    const idle = Promise.all([...this.#lanes.values()].map((lane) => lane.whenIdle()))
    const aborted = new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      else signal.addEventListener('abort', () => resolve(), { once: true })
    })
    await Promise.race([idle, aborted])
  }

  resume(): void {
    this.#isHeld = false
    for (const lane of this.#lanes.values()) lane.release()
  }

  async release(): Promise<void> {
    this.#isReleased = true
    for (const lane of this.#lanes.values()) lane.hold()
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }

  async #take(record: ConsumedRecord): Promise<void> {
    while (!this.#isReleased) {
      try {
        const job = await this.#flow.decode(record)
        this.#whenDue(job.history.dueAt, () => this.#lane(job.request.account).push(keyOf(record), job))
        return
      } catch (cause) {
        const error = toPosthornError(cause, 'decode')
        if (!error.retryable) {
          this.#commit(record, this.#flow.reject(record, error)).catch(() => undefined)
          return
        }
        await new Promise<void>((resolve) => this.#whenDue(this.#options.now() + decodeRetryMs, resolve))
      }
    }
  }

  /** Calls back at once, or when the time has come; never after the release. */
  #whenDue(dueAt: number, callback: () => void): void {
    const waitMs = dueAt - this.#options.now()
    if (waitMs <= 0) {
      callback()
      return
    }
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer)
        this.#whenDue(dueAt, callback)
      },
      Math.min(waitMs, longestTimerMs),
    )
    this.#timers.add(timer)
  }

  #lane(account: string): KeyedQueue<SendJob> {
    const existing = this.#lanes.get(account)
    if (existing !== undefined) return existing
    const lane = new KeyedQueue<SendJob>(this.#options.concurrency, (job) => this.#run(job))
    if (this.#isHeld) lane.hold()
    this.#lanes.set(account, lane)
    return lane
  }

  /** One delivery at a time for each request id, so that a second one meets the answer of the first. */
  async #run(job: SendJob): Promise<void> {
    const { id } = job.request
    const current = Promise.resolve(this.#running.get(id)).then(() => this.#settle(job))
    this.#running.set(id, current)
    await current
    if (this.#running.get(id) === current) this.#running.delete(id)
  }

  async #settle(job: SendJob): Promise<void> {
    // A worker that was stopped and wakes up may have lost its partitions: it must not begin another delivery before
    // the group has confirmed it.
    while (!this.#isReleased && !this.#context.isLeaseFresh()) await delay(leasePollMs)
    if (this.#isReleased) return
    try {
      const writeAhead = (settlement: Settlement) => this.#batcher.add(settlement)
      await this.#commit(job.record, await this.#flow.settle(job, this.#options.log, writeAhead))
    } catch {
      // Only a commit can fail here, and the batcher has reported it: the partition is being given up.
    }
  }

  async #commit(record: ConsumedRecord, settlement: Settlement): Promise<void> {
    await this.#batcher.add(settlement)
    this.#count(record, -1)
  }

  #onCommitFailed(error: PosthornError): void {
    if (!this.#isReleased) this.#context.rejoin(error)
  }

  /** Keeps the books of what is unsettled, and the intake within its bounds. */
  #count(record: ConsumedRecord, sign: 1 | -1): void {
    const buffered = this.#buffered.get(record.topic)
    const tracker = this.#trackers.get(record.topic)
    if (buffered === undefined || tracker === undefined) return
    buffered.records += sign
    buffered.bytes += sign * (record.value?.length ?? 0)
    const fullness = Math.max(
      buffered.records / maxBufferedRecords,
      buffered.bytes / maxBufferedBytes,
      tracker.span / (maxSpan / 2),
    )
    if (!buffered.isPaused && fullness >= 1) {
      buffered.isPaused = true
      this.#context.pause(record.topic)
    } else if (buffered.isPaused && fullness < 0.5) {
      buffered.isPaused = false
      this.#context.resume(record.topic)
    }
  }
}

const keyOf = (record: ConsumedRecord): string | null => record.key?.toString('base64') ?? null
