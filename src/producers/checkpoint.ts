/**
 * What is settled in a folder, and what a folder without a checkpoint begins with (pure).
 *
 * `lastUid` moves only in the transaction that publishes what it passes over. A published message whose after-read
 * action is not done yet is in `afterReadPending`, from the same transaction on, until a later checkpoint drops it.
 */
import type { Checkpoint } from '../avro/records.ts'
import type { ReceiveRule } from '../config/config.ts'
import { fromRanges, toRanges } from '../mail/uid-set.ts'

export interface FolderSight {
  uidValidity: number
  /** Highest UID in the folder now, 0 when empty. */
  highestUid: number
}

/** The checkpoint of a folder at first sight: `latest` passes over what is there, everything else looks at it. */
export const firstCheckpoint = (
  account: string,
  folder: string,
  start: ReceiveRule['start'],
  { uidValidity, highestUid }: FolderSight,
  now: number,
): Checkpoint => ({
  account,
  folder,
  uidValidity,
  lastUid: start.at === 'latest' ? highestUid : 0,
  pending: [],
  afterReadPending: [],
  afterReadToUidNext: null,
  firstSightUid: start.at === 'earliest' ? null : highestUid,
  atFirstSight: null,
  recent: [],
  highestModSeq: null,
  updatedAt: now,
})

/** The checkpoint that goes with a batch. */
export const advance = (
  checkpoint: Checkpoint,
  lastUid: number,
  awaitingAfterRead: readonly number[],
  now: number,
): Checkpoint => ({
  ...checkpoint,
  lastUid: Math.max(checkpoint.lastUid, lastUid),
  afterReadPending:
    awaitingAfterRead.length === 0
      ? checkpoint.afterReadPending
      : toRanges([...fromRanges(checkpoint.afterReadPending), ...awaitingAfterRead]),
  atFirstSight: checkpoint.atFirstSight?.filter(({ last }) => last > lastUid) ?? null,
  updatedAt: now,
})

/** The checkpoint after the after-read action of these UIDs. */
export const dropAfterRead = (checkpoint: Checkpoint, done: ReadonlySet<number>, now: number): Checkpoint => ({
  ...checkpoint,
  afterReadPending: toRanges(fromRanges(checkpoint.afterReadPending).filter((uid) => !done.has(uid))),
  updatedAt: now,
})
