/**
 * The mailboxes of one owned partition: every account whose name hashes to it. Receives from their folders and carries
 * out their commands, one command at a time for each account.
 *
 * Commands and received messages are committed through one batcher, since a partition has one transactional producer.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { RecordCodec } from '../avro/codec.ts'
import type { Checkpoint } from '../avro/records.ts'
import type { Backoff } from '../backoff.ts'
import { toPosthornError, type PosthornError } from '../errors.ts'
import { maxRuns, OffsetTracker } from '../kafka/offset-tracker.ts'
import type { Positions } from '../kafka/partition-ledger.ts'
import type { PartitionContext, PartitionOwner } from '../kafka/partition-owner.ts'
import type { ConsumedRecord } from '../kafka/records.ts'
import { SettlementBatcher, type BatcherOptions, type Settlement } from '../kafka/settlement-batcher.ts'
import type { Awaited } from '../readiness.ts'
import { WorkGate } from '../producers/work-gate.ts'
import { KeyedQueue } from './keyed-queue.ts'
import type { KeptPlan } from './plan-command.ts'
import { planKey } from './settle-command.ts'
import { Slots } from './slots.ts'

/** The accounts of the partition with their connections. */
export interface AccountMailboxes {
  start(): void
  /** The folders that have not been synced yet. */
  readonly awaited: readonly Awaited[]
  /** Lets go of every connection. */
  stop(): Promise<void>
}

/** What the flows of a partition share. */
export interface MailboxHost {
  partition: number
  /** Every step that must not be interrupted by a rebalance passes here. */
  gate: WorkGate
  commit: (settlement: Settlement) => Promise<void>
  /** False: another worker may own the partition by now, so nothing may be done to a mailbox. */
  isLeaseFresh: () => boolean
  /** By offset: what commands that are being carried out will do, also those that an earlier owner began. */
  plans: Map<number, KeptPlan>
  /** By checkpoint key: what earlier owners settled. */
  checkpoints: ReadonlyMap<string, Checkpoint>
  /** Aborted when the partition is let go. */
  signal: AbortSignal
}

export interface MailboxPartitionDependencies {
  commandsTopic: string
  codec: RecordCodec
  openAccounts: (host: MailboxHost) => AccountMailboxes
  /**
   * Carries a command out and says what to write.
   *
   * @param mayWait false: too much waits already, so that it fails instead of waiting for its server
   * @throws PosthornError retryable: the same attempt may succeed later
   */
  settleCommand: (record: ConsumedRecord, host: MailboxHost, attempt: number, mayWait: boolean) => Promise<Settlement>
  replaceTooLarge: BatcherOptions['replaceTooLarge']
  newBackoff: () => Backoff
  onTrouble: (error: PosthornError, retryInMs: number) => void
}

/** Intake of commands stops at so many unsettled ones, and goes on at half of it: each may cut a commit's runs once. */
const maxWaitingCommands = maxRuns
/**
 * From here on a server that can't be reached is not waited for: the commands of the partition's other accounts come
 * through the same intake.
 */
const patientUpTo = maxWaitingCommands / 2

export class MailboxPartition implements PartitionOwner {
  readonly #context: PartitionContext
  readonly #deps: MailboxPartitionDependencies
  readonly #trackers = new Map<string, OffsetTracker>()
  readonly #batcher: SettlementBatcher
  readonly #gate = new WorkGate()
  readonly #abort = new AbortController()
  /** The newest checkpoint of each folder, still encoded. */
  readonly #replayed = new Map<string, Buffer | null>()
  readonly #commands: KeyedQueue<ConsumedRecord>
  #accounts: AccountMailboxes | null = null
  #opening: Promise<void> = Promise.resolve()
  #host: MailboxHost | null = null
  #waitingCommands = 0

  constructor(context: PartitionContext, deps: MailboxPartitionDependencies) {
    this.#context = context
    this.#deps = deps
    this.#batcher = new SettlementBatcher({
      ledger: context.ledger,
      trackers: this.#trackers,
      replaceTooLarge: deps.replaceTooLarge,
      onFailed: (error) => this.#giveUp(error),
    })
    this.#commands = new KeyedQueue(new Slots(Number.POSITIVE_INFINITY), (record) => this.#runCommand(record))
    this.#commands.hold()
  }

  get awaited(): readonly Awaited[] | null {
    return this.#host === null ? null : (this.#accounts?.awaited ?? [])
  }

  replay({ key, value }: ConsumedRecord): void {
    if (key !== null) this.#replayed.set(key.toString('utf8'), value)
  }

  begin(positions: Positions): void {
    const start = positions.get(this.#deps.commandsTopic) ?? { offset: 0, settled: [] }
    this.#trackers.set(this.#deps.commandsTopic, new OffsetTracker(start))
    this.#opening = this.#open().catch((cause: unknown) => this.#giveUp(toPosthornError(cause, 'start')))
  }

  accept(records: readonly ConsumedRecord[]): void {
    for (const record of records) {
      if (this.#trackers.get(record.topic)?.accept(record.offset) !== true) continue
      this.#waitingCommands += 1
      if (this.#waitingCommands === maxWaitingCommands) this.#context.pause(record.topic)
      this.#commands.push(record.key?.toString('base64') ?? null, record)
    }
  }

  async drain(signal: AbortSignal): Promise<void> {
    const aborted = new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      else signal.addEventListener('abort', () => resolve(), { once: true })
    })
    await Promise.race([this.#gate.close(), aborted])
  }

  resume(): void {
    this.#gate.open()
  }

  async release(): Promise<void> {
    this.#commands.hold()
    this.#abort.abort(new Error('the partition is let go'))
    await this.#opening
    await this.#accounts?.stop()
    await this.#commands.whenIdle()
  }

  /** Checkpoints first, then the accounts: a folder must never be looked at without what was settled of it. */
  async #open(): Promise<void> {
    const { codec, openAccounts } = this.#deps
    const checkpoints = new Map<string, Checkpoint>()
    const plans = new Map<number, KeptPlan>()
    for (const [key, value] of this.#replayed) {
      if (value === null) continue
      if (key.startsWith(planKey('')))
        plans.set(Number(key.slice(planKey('').length)), JSON.parse(value.toString()) as KeptPlan)
      else checkpoints.set(key, await codec.decode('Checkpoint', value))
    }
    this.#replayed.clear()
    if (this.#abort.signal.aborted) return
    const commit = (settlement: Settlement) => this.#batcher.add(settlement)
    const host = {
      partition: this.#context.partition,
      gate: this.#gate,
      commit,
      isLeaseFresh: () => this.#context.isLeaseFresh(),
      plans,
      checkpoints,
      signal: this.#abort.signal,
    }
    this.#host = host
    this.#accounts = openAccounts(host)
    this.#accounts.start()
    this.#commands.release()
  }

  /** Action and commit are one step, which a rebalance waits for; the pauses between attempts are not part of it. */
  async #runCommand(record: ConsumedRecord): Promise<void> {
    const { settleCommand, newBackoff, onTrouble } = this.#deps
    const { signal } = this.#abort
    const host = this.#host
    if (host === null) return
    const backoff = newBackoff()
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      try {
        await this.#gate.pass(signal, async () =>
          this.#batcher.add(await settleCommand(record, host, attempt, this.#waitingCommands < patientUpTo)),
        )
        this.#waitingCommands -= 1
        if (this.#waitingCommands === maxWaitingCommands / 2) this.#context.resume(record.topic)
        return
      } catch (cause) {
        if (signal.aborted || this.#batcher.hasFailed) return
        const error = toPosthornError(cause, 'command')
        const retryInMs = backoff.next(error.retryAfterMs ?? 0)
        onTrouble(error, retryInMs)
        await delay(retryInMs, undefined, { signal }).catch(() => undefined)
      }
    }
  }

  #giveUp(error: PosthornError): void {
    if (!this.#abort.signal.aborted) this.#context.rejoin(error)
  }
}
