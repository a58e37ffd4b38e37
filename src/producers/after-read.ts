/**
 * The after-read action of a folder: of everything that is published and still awaits it; messages that are gone need
 * none. Safe to repeat, so a restart does.
 *
 * A move by copying takes two steps. Before it copies a batch, a checkpoint says where the copies will begin; whoever
 * finds that in a checkpoint looks for them first, and only deletes what has one. It opens the destination for that, so
 * it waits until nothing else is under way on the connection: to the beginning of the next sync, which follows at once.
 */
import type { Checkpoint } from '../avro/records.ts'
import type { ReceiveRule } from '../config/config.ts'
import { toPosthornError } from '../errors.ts'
import type { Emit } from '../events.ts'
import { requireExactDeletion, unsafeMove } from '../mail/exact-deletion.ts'
import type { Mailbox } from '../mail/mailbox.ts'
import { fromRanges } from '../mail/uid-set.ts'
import { dropAfterRead } from './checkpoint.ts'
import { findCopies, moveMessages, movesByCopying } from './move-messages.ts'
import { blame } from './pending-messages.ts'

export interface AfterReadDependencies {
  account: string
  rule: Pick<ReceiveRule, 'folder' | 'after'>
  /** False: another worker may own the partition by now, so nothing may be done to the mailbox. */
  isLeaseFresh: () => boolean
  /** Commits a checkpoint. */
  keep: (checkpoint: Checkpoint) => Promise<void>
  emit: Emit
  now: () => number
}

/** Servers bound the length of a command (RFC 2683 3.2.1.5). */
const mostAtOnce = 500

export class AfterRead {
  readonly #deps: AfterReadDependencies
  #hasFailed = false
  #isPutOff = false

  constructor(deps: AfterReadDependencies) {
    this.#deps = deps
  }

  /** True when the folder should be synced again for its sake. */
  get isPutOff(): boolean {
    return this.#isPutOff
  }

  /** At the beginning of a sync, when nothing else is under way. @returns the checkpoint without what is done */
  begin(mailbox: Mailbox, checkpoint: Checkpoint): Promise<Checkpoint> {
    this.#hasFailed = false
    this.#isPutOff = false
    return this.#run(mailbox, checkpoint)
  }

  /** Between two batches. */
  async goOn(mailbox: Mailbox, checkpoint: Checkpoint): Promise<Checkpoint> {
    if (checkpoint.afterReadPending.length === 0 || this.#hasFailed) return checkpoint
    if (this.#deps.rule.after.action !== 'move' || !movesByCopying(mailbox)) return this.#run(mailbox, checkpoint)
    this.#isPutOff = true
    return checkpoint
  }

  async #run(mailbox: Mailbox, checkpoint: Checkpoint): Promise<Checkpoint> {
    const { account, rule, isLeaseFresh, emit, now } = this.#deps
    const awaiting = fromRanges(checkpoint.afterReadPending)
    let current = checkpoint
    const keep = async (next: Checkpoint): Promise<void> => {
      await this.#deps.keep(next)
      current = next
    }
    try {
      if (rule.after.action === 'move' && awaiting.length > 0) await mailbox.createFolder(rule.after.folder)
      for (let start = 0; start < awaiting.length; start += mostAtOnce) {
        const batch = awaiting.slice(start, start + mostAtOnce)
        const present = new Set(await mailbox.searchUids({}, batch[0] ?? 1, batch.at(-1)))
        // What was stopped for long may have lost the partition without knowing.
        if (!isLeaseFresh()) return current
        const uids = batch.filter((uid) => present.has(uid))
        if (uids.length > 0)
          await this.#act(mailbox, uids, (to) => this.#beginCopying(mailbox, current, uids, to, keep))
        current = { ...dropAfterRead(current, new Set(batch), now()), afterReadToUidNext: null }
      }
    } catch (cause) {
      const error = toPosthornError(cause, 'after-read')
      if (blame(error) !== 'message' && error.code !== 'IMAP_FOLDER_MISSING' && error.code !== 'IMAP_UNSAFE_MOVE')
        throw error
      // The messages are published: a folder that can't be written to must not keep the next ones back.
      this.#hasFailed = true
      emit({ type: 'AfterReadFailed', account, folder: rule.folder, code: error.code, message: error.message })
    }
    return current
  }

  /** @param beginCopying says what is still to be moved */
  async #act(
    mailbox: Mailbox,
    uids: readonly number[],
    beginCopying: (to: string) => Promise<readonly number[]>,
  ): Promise<void> {
    const { folder, after } = this.#deps.rule
    switch (after.action) {
      case 'none':
        return
      case 'seen':
        await mailbox.addFlags(uids, ['\\Seen'])
        return
      case 'delete':
        await mailbox.deleteExactly(uids)
        return
      case 'move': {
        const left = movesByCopying(mailbox) ? await beginCopying(after.folder) : uids
        if (left.length > 0) await moveMessages(mailbox, folder, left, after.folder)
        return
      }
      default:
        after satisfies never
    }
  }

  async #beginCopying(
    mailbox: Mailbox,
    checkpoint: Checkpoint,
    uids: readonly number[],
    to: string,
    keep: AfterReadDependencies['keep'],
  ): Promise<readonly number[]> {
    requireExactDeletion(mailbox)
    const { folder } = this.#deps.rule
    const begun = checkpoint.afterReadToUidNext
    const copied = begun === null ? new Map() : await findCopies(mailbox, folder, uids, to, begun)
    if (copied.size > 0) await mailbox.deleteExactly([...copied.keys()])
    const afterReadToUidNext = await mailbox.uidNextOf(to)
    if (afterReadToUidNext === null)
      throw unsafeMove('the server has no MOVE and does not tell the next UID of a folder')
    await keep({ ...checkpoint, afterReadToUidNext })
    return uids.filter((uid) => !copied.has(uid))
  }
}
