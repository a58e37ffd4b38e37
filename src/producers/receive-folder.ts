/**
 * One folder: from its checkpoint to its newest message. The steps of a batch, in the order of the guarantee:
 *
 * 1. fetch and parse; what can't be read becomes a dead letter, the rest goes on
 * 2. store the attachments under keys that depend on the message alone: a repeat overwrites the same bytes
 * 3. one transaction: the records, the dead letters, and the checkpoint that passes over them
 * 4. the after-read action; until a later checkpoint says that it is done, a restart repeats it
 *
 * While one batch is stored and committed the next is at the first two steps, which change nothing that others see.
 * The transaction begins when everything is stored, so no server's slowness can make it outlive its timeout. The
 * checkpoint moves only past UIDs that the server had listed before the batch was looked at, and the one in memory only
 * after the commit: a message that arrives meanwhile, or a commit that fails, is left for the next round.
 */
import type { RecordCodec } from '../avro/codec.ts'
import type { Checkpoint, PendingMessage } from '../avro/records.ts'
import type { ReceiveRule } from '../config/config.ts'
import { isPosthornError, PosthornError, toPosthornError, type ErrorCode } from '../errors.ts'
import type { Emit } from '../events.ts'
import type { OutgoingRecord } from '../kafka/records.ts'
import { orAborted } from '../lifecycle.ts'
import type { Mailbox, MessageSummary, OpenFolder } from '../mail/mailbox.ts'
import { AfterRead } from './after-read.ts'
import { advance } from './checkpoint.ts'
import { buildCheckpointKey } from './dedupe-id.ts'
import { establishCheckpoint } from './establish-checkpoint.ts'
import { blame, chargeAll, mostAttempts, nextDueAt, settle, whatIsDue } from './pending-messages.ts'
import { OneAhead } from './one-ahead.ts'
import { PatientDescription } from './patient-description.ts'
import { batchBounds, planBatches } from './plan-batches.ts'
import type { MessagePublisher, Prepared } from './publish-message.ts'
import { remember, renumberedMeanwhile } from './renumbering.ts'
import { listCandidates, lookAt, nothing, sliceSuspects, undescribed, unseen, type Look } from './select-messages.ts'
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
  /** False: another worker may own the partition by now, so nothing may be done to the mailbox. */
  isLeaseFresh: () => boolean
  emit: Emit
  now: () => number
}

type Ahead = OneAhead<readonly MessageSummary[], Prepared>
export class FolderReceiver {
  readonly #deps: FolderDependencies
  /** As it is committed, but for after-read actions that were done since. */
  #checkpoint: Checkpoint | null
  /** True when the committed checkpoint lags behind. */
  #isDirty = false
  /** Something up to this UID broke the connection, or can't be described: these messages are taken one by one. */
  #suspectUpTo = 0
  #description = new PatientDescription()
  readonly #afterReading: AfterRead

  constructor(deps: FolderDependencies, committed: Checkpoint | null) {
    this.#deps = deps
    this.#checkpoint = committed
    this.#afterReading = new AfterRead({ ...deps, keep: (checkpoint) => this.#commit(checkpoint) })
  }

  /** Milliseconds until something is to be done though nothing arrives; null: nothing waits. */
  get retryInMs(): number | null {
    if (this.#afterReading.isPutOff) return 0
    const dueAt = nextDueAt(this.#checkpoint?.pending ?? [])
    return dueAt === null ? null : Math.max(0, dueAt - this.#deps.now())
  }

  /** Publishes what is new. @returns the number of messages published or dead-lettered */
  async sync(mailbox: Mailbox, signal: AbortSignal): Promise<number> {
    const { account, rule, gate, emit, now } = this.#deps
    const opened = await mailbox.open(rule.folder, { readOnly: rule.after.action === 'none' })
    const { lastUid } = await gate.pass(signal, () => this.#establish(mailbox, opened))
    await gate.pass(signal, async () => this.#adopt(await this.#afterReading.begin(mailbox, this.#current())))
    let settled = 0
    for (const pending of whatIsDue(this.#current().pending, now())) {
      settled += await this.#retry(mailbox, opened, pending, signal)
    }

    const listed = await mailbox.searchUids({}, lastUid + 1)
    const candidates = await listCandidates(mailbox, listed, this.#current(), rule)
    const slices = sliceSuspects(candidates, this.#suspectUpTo)
    const prepared = this.#prepareAhead(mailbox, opened, signal)
    const lookAtSlice = async (slice: number[]) => {
      const look = await lookAt(mailbox, slice, this.#current(), rule)
      const batches = planBatches(look.selected, batchBounds)
      prepared.append(batches)
      return { look, batches }
    }
    // Where one message broke the connection, nothing else may be under way beside it.
    const looks = new OneAhead((candidates[0] ?? 0) > this.#suspectUpTo ? slices : [], lookAtSlice)
    try {
      for (const slice of slices) {
        const seen = await this.#see(slice, looks.take(slice))
        if (isPosthornError(seen)) {
          await this.#chargeAlone(slice[0] ?? 0, seen, nothing, signal)
          continue
        }
        const { look, batches } = seen
        for (const batch of batches) settled += await this.#settle(mailbox, prepared, batch, look, signal)
        await gate.pass(signal, () => this.#passOver(look, slice.at(-1) ?? 0))
      }
    } finally {
      // What is under way must not be when another folder is opened on the connection. A stop closes it.
      const ahead = Promise.all([looks.end(), prepared.end()])
      if (!signal.aborted) await orAborted(ahead, signal).catch(() => undefined)
    }
    // What comes after the last candidate was ruled out by the server.
    await gate.pass(signal, () => this.#passOver(nothing, listed.at(-1) ?? 0))
    emit({ type: 'FolderSynced', account, folder: rule.folder, published: settled, lastUid: this.#current().lastUid })
    return settled
  }

  /** @returns what came of a look, or the failure that belongs to the one message that was looked at */
  async #see<T>(uids: readonly number[], looking: Promise<T>): Promise<T | PosthornError> {
    try {
      return await looking
    } catch (cause) {
      const error = toPosthornError(cause, 'fetch')
      const whose = blame(error)
      const last = uids.at(-1) ?? 0
      if (whose === 'message' && uids.length === 1) return error
      if (whose === 'connection' && last <= this.#suspectUpTo) return error
      if (whose !== 'outage') this.#suspectUpTo = Math.max(last, this.#suspectUpTo)
      throw error
    }
  }

  /** The folder's checkpoint, committed before anything depends on it. */
  async #establish(mailbox: Mailbox, opened: OpenFolder): Promise<Checkpoint> {
    const { account, rule, publisher, emit, now } = this.#deps
    const known = this.#checkpoint
    if (known !== null && known.uidValidity === opened.uidValidity) return known
    const past = { account, rule, known, now: now(), description: this.#description }
    const checkpoint = await establishCheckpoint(mailbox, opened, past)
    const { uidValidity, lastUid } = checkpoint
    if (known !== null) {
      const facts = { before: known.uidValidity, now: uidValidity, policy: rule.uidValidityChanged }
      emit({ type: 'UidValidityChanged', account, folder: rule.folder, ...facts })
    }
    const lost = known?.pending.map(({ uid, attempts }) =>
      publisher.deadLetter(known.uidValidity, uid, renumberedMeanwhile(uid), attempts, null),
    )
    await this.#commit(checkpoint, lost)
    this.#suspectUpTo = 0
    this.#description = new PatientDescription()
    emit({ type: 'FolderOpened', account, folder: rule.folder, uidValidity, lastUid })
    return checkpoint
  }

  /** While a batch is committed, the next one is fetched and stored. */
  #prepareAhead(mailbox: Mailbox, { uidValidity }: OpenFolder, signal: AbortSignal): Ahead {
    return new OneAhead<readonly MessageSummary[], Prepared>([], (batch) =>
      this.#deps.publisher.prepare(mailbox, uidValidity, batch, signal),
    )
  }

  /** Publishes a batch; one message that spoils it is found and charged, and the others go on. */
  async #settle(
    mailbox: Mailbox,
    prepared: Ahead,
    batch: readonly MessageSummary[],
    look: Look,
    signal: AbortSignal,
  ): Promise<number> {
    const { gate } = this.#deps
    const last = batch.at(-1)?.uid ?? 0
    let settled: number
    try {
      settled = await gate.pass(signal, () => this.#publish(prepared, batch, look))
    } catch (cause) {
      const error = toPosthornError(cause, 'fetch')
      const whose = blame(error)
      if (whose === 'outage') throw error
      if (whose === 'connection' && last > this.#suspectUpTo) {
        this.#suspectUpTo = last
        throw error
      }
      if (batch.length === 1) return this.#chargeAlone(last, error, look, signal)
      const half = Math.ceil(batch.length / 2)
      const first = await this.#settle(mailbox, prepared, batch.slice(0, half), look, signal)
      return first + (await this.#settle(mailbox, prepared, batch.slice(half), look, signal))
    }
    await gate.pass(signal, async () => this.#adopt(await this.#afterReading.goOn(mailbox, this.#current())))
    return settled
  }

  async #publish(prepared: Ahead, batch: readonly MessageSummary[], look: Look): Promise<number> {
    const { rule, now } = this.#deps
    const { records, published, failed } = await prepared.take(batch)
    const last = batch.at(-1)?.uid ?? 0
    const { lastUid } = this.#current()
    const failures = unseen(look, lastUid, last)
    for (const { uid, error } of failed) failures.set(uid, error.code)
    const passed = look.described.filter(({ uid }) => uid > lastUid && uid <= last)
    const settled = [...batch.filter(({ uid }) => uid <= lastUid), ...passed].filter(({ uid }) => !failures.has(uid))
    const next = advance(this.#current(), last, rule.after.action === 'none' ? [] : published, now())
    const retried = batch.reduce(
      (pending, { uid }) => (failures.has(uid) ? pending : settle(pending, uid)),
      next.pending,
    )
    const recent = remember(next.recent, settled, rule.uidValidityChanged)
    await this.#commit(this.#charged({ ...next, pending: retried, recent }, failures), records)
    return records.length
  }

  /** A message whose pause is over: once more, or, when it failed too often, into the dead letters. */
  async #retry(mailbox: Mailbox, opened: OpenFolder, pending: PendingMessage, signal: AbortSignal): Promise<number> {
    const { gate, publisher, rule } = this.#deps
    const { uid, attempts, reason } = pending
    const look = await this.#see([uid], lookAt(mailbox, [uid], this.#current(), rule))
    const failure = isPosthornError(look) ? look : undescribed
    const [summary] = isPosthornError(look) ? [] : look.described
    if (!isPosthornError(look) && summary === undefined && look.indescribable.length === 0) {
      await gate.pass(signal, () => this.#commit({ ...this.#current(), pending: settle(this.#current().pending, uid) }))
      return 0
    }
    if (attempts < mostAttempts) {
      if (summary === undefined) return this.#chargeAlone(uid, failure, nothing, signal)
      return this.#settle(mailbox, this.#prepareAhead(mailbox, opened, signal), [summary], nothing, signal)
    }
    const error = new PosthornError(reason as ErrorCode, `message ${uid} failed ${attempts} times`, { stage: 'fetch' })
    await gate.pass(signal, async () => {
      const message = { uid, size: summary?.size ?? null }
      const letter = await publisher.bury(mailbox, opened.uidValidity, message, error, attempts)
      await this.#commit({ ...this.#current(), pending: settle(this.#current().pending, uid) }, [letter])
    })
    return 1
  }

  /** @returns none was settled. @throws PosthornError the failure, where the connection is broken */
  async #chargeAlone(uid: number, error: PosthornError, look: Look, signal: AbortSignal): Promise<0> {
    await this.#deps.gate.pass(signal, () => {
      const next = advance(this.#current(), uid, [], this.#deps.now())
      return this.#commit(this.#charged(next, unseen(look, this.#current().lastUid, uid).set(uid, error.code)))
    })
    if (blame(error) === 'connection') throw error
    return 0
  }

  /** @throws PosthornError the last failure, where so many messages wait that it can't be their own */
  #charged(checkpoint: Checkpoint, failures: ReadonlyMap<number, ErrorCode>): Checkpoint {
    const { account, rule, emit, now } = this.#deps
    const pending = chargeAll(checkpoint.pending, failures, now())
    for (const [uid, code] of failures) emit({ type: 'MessageFailed', account, folder: rule.folder, uid, code })
    return { ...checkpoint, pending }
  }

  /** What was looked at and left out, or ruled out by the server. */
  async #passOver(look: Look, last: number): Promise<void> {
    const { rule, now } = this.#deps
    const current = this.#current()
    const settled = look.described.filter(({ uid }) => uid > current.lastUid)
    const next = last > current.lastUid ? advance(current, last, [], now()) : current
    const failures = unseen(look, current.lastUid, last)
    const recent = settled.length === 0 ? next.recent : remember(next.recent, settled, rule.uidValidityChanged)
    if (next === current && failures.size === 0 && !this.#isDirty) return
    await this.#commit(this.#charged({ ...next, recent }, failures))
  }

  /** What is done after reading is committed with whatever comes next. */
  #adopt(checkpoint: Checkpoint): void {
    if (checkpoint === this.#checkpoint) return
    this.#checkpoint = checkpoint
    this.#isDirty = true
  }

  /** Where the folder has got, for whoever goes on after this one was stopped. */
  get checkpoint(): Checkpoint | null {
    return this.#checkpoint
  }

  #current(): Checkpoint {
    if (this.#checkpoint === null) throw new Error('the folder has no checkpoint yet')
    return this.#checkpoint
  }

  /** Records and checkpoint together. */
  async #commit(checkpoint: Checkpoint, records: readonly OutgoingRecord[] = []): Promise<void> {
    const { account, rule, partition, checkpointsTopic, codec, commit } = this.#deps
    const value = await codec.encode('Checkpoint', checkpoint, checkpointsTopic)
    const key = buildCheckpointKey(account, rule.folder)
    await commit([...records, { topic: checkpointsTopic, partition, key, value }])
    this.#checkpoint = checkpoint
    this.#isDirty = false
  }
}
