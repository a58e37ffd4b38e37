/**
 * The outbound flow of one owned partition: intake → decode → lane of the account → settle → commit.
 *
 * - Intake is one record at a time, in offset order, so that records with the same key reach their lane in order.
 * - Each account has a lane of its own (`account-lanes.ts`): a slow server holds up nobody else's mail.
 * - A record keeps its slot until its settlement is committed. What is in flight is therefore all that a crash can
 *   repeat.
 * - A record that is not due yet waits in memory, uncommitted; its topic is paused when too many wait.
 * - A rebalance, and the stop, end a turn: what waits for a connection comes back from the outbox, so that no more is in
 *   flight than the servers have been given. Where the partition stays it has another turn; else, as any record without a
 *   settlement, it stays uncommitted and the next owner takes it.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { SendRequest } from '../avro/records.ts'
import { toPosthornError, type PosthornError } from '../errors.ts'
import { OffsetTracker, maxRuns } from '../kafka/offset-tracker.ts'
import type { Positions } from '../kafka/partition-ledger.ts'
import type { PartitionContext, PartitionOwner } from '../kafka/partition-owner.ts'
import { sizeOf, type ConsumedRecord } from '../kafka/records.ts'
import { SettlementBatcher, type BatcherOptions, type Settlement } from '../kafka/settlement-batcher.ts'
import type { Awaited } from '../readiness.ts'
import { AccountLanes, type LaneJob, type LaneOptions } from './account-lanes.ts'
import { Intake } from './intake.ts'
import type { SendHistory } from './send-history.ts'
import type { RequestLog } from './request-log.ts'

export interface SendJob {
  record: ConsumedRecord
  request: SendRequest
  history: SendHistory
}

/** What a job is settled with. */
export interface SendTurn {
  log: RequestLog
  /** Commits records of their own before the settlement. */
  writeAhead: (settlement: Settlement) => Promise<void>
  /** Aborted: nothing more is to be begun here. */
  signal: AbortSignal
}

/** The decisions of the flow, without its scheduling. */
export interface SendFlow {
  /** @throws PosthornError retryable: try the same record again later; otherwise it is a dead letter */
  decode(record: ConsumedRecord): Promise<SendJob>
  /** What to write for a record that can't be decoded. */
  reject(record: ConsumedRecord, error: PosthornError): Settlement
  /** When the job can go on, milliseconds since the epoch. */
  dueAt(job: SendJob): number
  /** What to write for a job that another partition must do; null: it belongs here. */
  handOn(job: SendJob): Settlement | null
  /** What to write for a job that its account has no room for now. */
  postpone(job: SendJob): Settlement
  /** Sends, and says what to write; null: nothing, its turn was over. Where it rejects, the record is a dead letter. */
  settle(job: SendJob, turn: SendTurn): Promise<Settlement | null>
}

export interface SendPartitionOptions extends Pick<LaneOptions<LaneJob>, 'accounts' | 'records' | 'slotsOf' | 'now'> {
  inputTopics: readonly string[]
  log: RequestLog
  replaceTooLarge: BatcherOptions['replaceTooLarge']
  /** What was given to an outbox under the turn that is over now should come back. */
  onHeld: () => void
  /** @param underWay deliveries that were begun and whose outcome will not be recorded here */
  onReleased: (underWay: number) => void
  /** As many settlements are worth a transaction. */
  gather: number
}

interface QueuedJob extends SendJob, LaneJob {}

const decodeRetryMs = 1_000
const beginPollMs = 200
const relieveEveryMs = 1_000
/** Under load a transaction starts so long after the one before, or sooner when enough has gathered. */
const gatherIntervalMs = 25
const longestTimerMs = 2 ** 31 - 1

export class SendPartition implements PartitionOwner {
  readonly #context: PartitionContext
  readonly #flow: SendFlow
  readonly #options: SendPartitionOptions
  readonly #trackers = new Map<string, OffsetTracker>()
  readonly #lanes: AccountLanes<QueuedJob>
  readonly #intake: Intake
  readonly #running = new Map<string, Promise<void>>()
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #batcher: SettlementBatcher
  #taking: Promise<void> = Promise.resolve()
  #relieving: NodeJS.Timeout | null = null
  /** Records that are being settled. */
  #underWay = 0
  /** Until the next rebalance, or the end. */
  #turn = new AbortController()
  #whenNothingIsUnderWay: (() => void)[] = []
  #isReleased = false

  constructor(context: PartitionContext, flow: SendFlow, options: SendPartitionOptions) {
    this.#context = context
    this.#flow = flow
    this.#options = options
    this.#lanes = new AccountLanes({
      ...options,
      run: (job) => this.#run(job),
      onEased: () => this.#intake.balance(),
    })
    this.#intake = new Intake({
      topics: options.inputTopics,
      fullness: (topic) => Math.max(this.#lanes.fullness, (this.#trackers.get(topic)?.runs ?? 0) / (maxRuns / 2)),
      pause: (topic) => context.pause(topic),
      resume: (topic) => context.resume(topic),
    })
    this.#batcher = new SettlementBatcher({
      ledger: context.ledger,
      trackers: this.#trackers,
      replaceTooLarge: options.replaceTooLarge,
      onFailed: (error) => this.#onCommitFailed(error),
      gather: { settlements: options.gather, intervalMs: gatherIntervalMs, underWay: () => this.#underWay },
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
      this.#trackers.set(topic, new OffsetTracker(positions.get(topic) ?? { offset: 0, settled: [] }))
    }
    this.#relieving = setInterval(() => this.#relieve(), relieveEveryMs)
  }

  accept(records: readonly ConsumedRecord[]): void {
    for (const record of records) {
      if (this.#trackers.get(record.topic)?.accept(record.offset) !== true) continue
      this.#intake.count(record.topic, sizeOf(record), 1)
      this.#taking = this.#taking.then(() => this.#take(record))
    }
  }

  /** Starts nothing new. */
  hold(): void {
    this.#lanes.hold()
    this.#turn.abort()
    this.#options.onHeld()
  }

  async drain(signal: AbortSignal): Promise<void> {
    this.hold()
    const aborted = new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      else signal.addEventListener('abort', () => resolve(), { once: true })
    })
    if (this.#underWay === 0) return
    await Promise.race([new Promise<void>((resolve) => this.#whenNothingIsUnderWay.push(resolve)), aborted])
  }

  resume(): void {
    if (this.#turn.signal.aborted) this.#turn = new AbortController()
    this.#lanes.release()
  }

  async release(): Promise<void> {
    this.#isReleased = true
    this.hold()
    if (this.#relieving !== null) clearInterval(this.#relieving)
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
    this.#options.onReleased(this.#underWay)
  }

  async #take(record: ConsumedRecord): Promise<void> {
    while (!this.#isReleased) {
      try {
        const job = await this.#flow.decode(record)
        const elsewhere = this.#flow.handOn(job)
        if (elsewhere === null) this.#queueWhenDue(job)
        else void this.#settleUntried(record, elsewhere)
        return
      } catch (cause) {
        const error = toPosthornError(cause, 'decode')
        if (!error.retryable) {
          void this.#settleUntried(record, this.#flow.reject(record, error))
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

  #queueWhenDue(job: SendJob): void {
    const dueAt = this.#flow.dueAt(job)
    if (dueAt <= this.#options.now()) this.#queue(job)
    else this.#whenDue(dueAt, () => this.#queueWhenDue(job))
  }

  #queue(job: SendJob): void {
    const { record, request } = job
    const bytes = sizeOf(record)
    const queued = { ...job, account: request.account, key: record.key?.toString('base64') ?? null, bytes }
    if (this.#lanes.push(queued)) this.#intake.count(record.topic, bytes, -1)
    else void this.#settleUntried(record, this.#flow.postpone(job))
  }

  #relieve(): void {
    for (const job of this.#lanes.relieve()) {
      this.#intake.count(job.record.topic, job.bytes, 1)
      void this.#settleUntried(job.record, this.#flow.postpone(job))
    }
    this.#intake.balance()
  }

  /** Commits what was decided about a record before it came to its lane, or after it was sent away from there. */
  async #settleUntried(record: ConsumedRecord, settlement: Settlement): Promise<void> {
    this.#underWay += 1
    const isCommitted = await this.#commit(settlement)
    this.#ended()
    if (isCommitted) this.#intake.count(record.topic, sizeOf(record), -1)
  }

  /** One delivery at a time for each request id, so that a second one meets the answer of the first. */
  async #run(job: QueuedJob): Promise<void> {
    const { id } = job.request
    const current = Promise.resolve(this.#running.get(id)).then(() => this.#settle(job))
    this.#running.set(id, current)
    await current
    if (this.#running.get(id) === current) this.#running.delete(id)
  }

  async #settle(job: QueuedJob): Promise<void> {
    while (await this.#mayBegin()) {
      const { signal } = this.#turn
      const writeAhead = (settlement: Settlement) => this.#batcher.add(settlement)
      this.#underWay += 1
      const settlement = await this.#flow
        .settle(job, { log: this.#options.log, writeAhead, signal })
        // What nobody foresaw about one record must not end the process, again and again, and with it everybody's mail.
        .catch((cause: unknown) => this.#flow.reject(job.record, toPosthornError(cause, 'reply')))
      if (settlement !== null) await this.#commit(settlement)
      this.#ended()
      // Its turn was over before it was begun. It has the next one, if the partition stays.
      if (settlement !== null || !signal.aborted) return
    }
  }

  /**
   * Waits until the rebalance is over. And a worker that was stopped and wakes up may have lost its partitions: it must
   * not begin another delivery before the group has confirmed it.
   *
   * @returns false: the partition is released
   */
  async #mayBegin(): Promise<boolean> {
    const mustWait = (): boolean => this.#turn.signal.aborted || !this.#context.isLeaseFresh()
    while (!this.#isReleased && mustWait()) await delay(beginPollMs)
    return !this.#isReleased
  }

  #ended(): void {
    this.#underWay -= 1
    if (this.#underWay > 0) return
    for (const resolve of this.#whenNothingIsUnderWay.splice(0)) resolve()
  }

  /** @returns false when it can't be committed any more: the batcher has said so, and the partition is being given up */
  async #commit(settlement: Settlement): Promise<boolean> {
    try {
      await this.#batcher.add(settlement)
      return true
    } catch {
      return false
    }
  }

  #onCommitFailed(error: PosthornError): void {
    if (!this.#isReleased) this.#context.rejoin(error)
  }
}
