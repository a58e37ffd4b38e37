/**
 * One folder: from its checkpoint to its newest message. The steps of a batch, in the order of the guarantee:
 *
 * 1. fetch and parse; what can't be read becomes a dead letter, the rest goes on
 * 2. store the attachments under keys that depend on the message alone: a repeat overwrites the same bytes
 * 3. one transaction: the records, the dead letters, and the checkpoint that passes over them
 * 4. the after-read action; until a later checkpoint says that it is done, a restart repeats it
 *
 * The checkpoint moves only past UIDs that the server had listed before the batch was looked at: a message that
 * arrives meanwhile is left for the next round.
 */
import type { RecordCodec } from '../avro/codec.ts'
import type { Checkpoint } from '../avro/records.ts'
import type { ReceiveRule } from '../config/config.ts'
import type { Emit } from '../events.ts'
import type { OutgoingRecord } from '../kafka/records.ts'
import type { Mailbox, MessageSummary, OpenFolder } from '../mail/mailbox.ts'
import { advance, dropAfterRead, firstCheckpoint, fromRanges, type FolderSight } from './checkpoint.ts'
import { buildCheckpointKey } from './dedupe-id.ts'
import { planBatches } from './plan-batches.ts'
import type { MessagePublisher } from './publish-message.ts'
import { runAfterRead } from './run-after-read.ts'
import { selectMessages } from './select-messages.ts'
import type { WorkGate } from './work-gate.ts'

export interface FolderDependencies {
  account: string
  rule: ReceiveRule
  partition: number
  checkpointsTopic: string
  codec: RecordCodec
  publisher: MessagePublisher
  /** Commits records of this partition in one transaction. */
  commit: (records: readonly OutgoingRecord[]) => Promise<void>
  gate: WorkGate
  emit: Emit
  now: () => number
}

/** The server has renumbered the folder (RFC 3501 2.3.1.1): what is there is new as far as UIDs can tell. */
const startAfterRenumbering = (policy: ReceiveRule['uidValidityChanged']): ReceiveRule['start'] =>
  policy === 'replay' ? { at: 'earliest' } : { at: 'latest' }

/** What is held in memory at once; a larger message is streamed. */
const batchBounds = { maxMessages: 100, maxBytes: 8 * 1_048_576 }

export class FolderReceiver {
  readonly #deps: FolderDependencies
  /** As it will be committed next. */
  #checkpoint: Checkpoint | null
  /** True when the committed checkpoint lags behind. */
  #isDirty = false

  constructor(deps: FolderDependencies, committed: Checkpoint | null) {
    this.#deps = deps
    this.#checkpoint = committed
  }

  /** Publishes what is new. @returns the number of messages published or dead-lettered */
  async sync(mailbox: Mailbox, signal: AbortSignal): Promise<number> {
    const { account, rule, gate, emit, now } = this.#deps
    const opened = await mailbox.open(rule.folder, { readOnly: rule.after.action === 'none' })
    const checkpoint = await gate.pass(signal, () => this.#establish(mailbox, opened))
    await gate.pass(signal, () => this.#afterRead(mailbox))

    const listed = await mailbox.searchUids({}, checkpoint.lastUid + 1)
    const highest = listed.at(-1)
    let published = 0
    if (highest !== undefined) {
      const selected = await selectMessages(mailbox, listed, rule, checkpoint.firstSightUid ?? 0)
      for (const batch of planBatches(selected, batchBounds)) {
        published += await gate.pass(signal, () => this.#publish(mailbox, opened, batch))
      }
      // What comes after the last selected message was looked at and left out.
      this.#set(advance(this.#current(), highest, [], now()))
    }
    await gate.pass(signal, () => this.#commit([]))
    emit({ type: 'FolderSynced', account, folder: rule.folder, published, lastUid: this.#current().lastUid })
    return published
  }

  /** The folder's checkpoint, committed before anything depends on it. */
  async #establish(mailbox: Mailbox, opened: OpenFolder): Promise<Checkpoint> {
    const { account, rule, emit, now } = this.#deps
    const known = this.#checkpoint
    if (known !== null && known.uidValidity === opened.uidValidity) return known
    // RFC 3501 2.3.1.1: UIDNEXT is above every UID; a server may omit it.
    const highestUid = opened.uidNext === null ? ((await mailbox.searchUids({}, 1)).at(-1) ?? 0) : opened.uidNext - 1
    const sight: FolderSight = { uidValidity: opened.uidValidity, highestUid }
    if (known !== null) {
      const facts = { before: known.uidValidity, now: opened.uidValidity, policy: rule.uidValidityChanged }
      emit({ type: 'UidValidityChanged', account, folder: rule.folder, ...facts })
    }
    const start = known === null ? rule.start : startAfterRenumbering(rule.uidValidityChanged)
    const checkpoint = firstCheckpoint(account, rule.folder, start, sight, now())
    this.#set(checkpoint)
    await this.#commit([])
    emit({
      type: 'FolderOpened',
      account,
      folder: rule.folder,
      uidValidity: opened.uidValidity,
      lastUid: checkpoint.lastUid,
    })
    return checkpoint
  }

  async #publish(mailbox: Mailbox, { uidValidity }: OpenFolder, batch: readonly MessageSummary[]): Promise<number> {
    const { rule, publisher, now } = this.#deps
    const { records, published } = await publisher.prepare(mailbox, uidValidity, batch)
    const awaiting = rule.after.action === 'none' ? [] : published
    this.#set(advance(this.#current(), batch.at(-1)?.uid ?? 0, awaiting, now()))
    await this.#commit(records)
    await this.#afterRead(mailbox)
    return records.length
  }

  /** The after-read action of everything that still awaits it; messages that are gone need none. */
  async #afterRead(mailbox: Mailbox): Promise<void> {
    const awaiting = fromRanges(this.#current().afterReadPending)
    const [first] = awaiting
    if (first === undefined) return
    const present = new Set(await mailbox.searchUids({}, first))
    await runAfterRead(
      mailbox,
      this.#deps.rule.after,
      awaiting.filter((uid) => present.has(uid)),
    )
    this.#set(dropAfterRead(this.#current(), new Set(awaiting), this.#deps.now()))
  }

  #current(): Checkpoint {
    if (this.#checkpoint === null) throw new Error('the folder has no checkpoint yet')
    return this.#checkpoint
  }

  #set(checkpoint: Checkpoint): void {
    if (checkpoint !== this.#checkpoint) this.#isDirty = true
    this.#checkpoint = checkpoint
  }

  /** Records and checkpoint together; nothing when there is neither. */
  async #commit(records: readonly OutgoingRecord[]): Promise<void> {
    if (records.length === 0 && !this.#isDirty) return
    const { account, rule, partition, checkpointsTopic, codec, commit } = this.#deps
    const value = await codec.encode('Checkpoint', this.#current(), checkpointsTopic)
    const key = buildCheckpointKey(account, rule.folder)
    await commit([...records, { topic: checkpointsTopic, partition, key, value }])
    this.#isDirty = false
  }
}
