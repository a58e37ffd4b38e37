/**
 * What a folder remembers of its messages, so that they are known again under other UIDs (pure).
 *
 * When UIDVALIDITY changes, every UID is void (RFC 3501 2.3.1.1) and so is every dedupe id: nothing but the messages
 * themselves tells what was settled. A checkpoint keeps fingerprints of the newest messages by INTERNALDATE, which the
 * server keeps when it renumbers. What arrived before the oldest of them counts as known; from there on the fingerprint
 * decides.
 */
import type { Checkpoint, RecentMessage } from '../avro/records.ts'
import type { ReceiveRule } from '../config/config.ts'
import { PosthornError } from '../errors.ts'
import type { MessageSummary } from '../mail/mailbox.ts'

type Policy = ReceiveRule['uidValidityChanged']

/** About 30 bytes each in every checkpoint of the folder. */
export const mostRemembered = 1_000

/** The newest of both. With `reconcile` up to a thousand, else those that share the newest second. */
export const remember = (
  recent: readonly RecentMessage[],
  settled: readonly MessageSummary[],
  policy: Policy,
): RecentMessage[] => {
  const newest = Math.max(...recent.map(({ receivedAt }) => receivedAt), ...settled.map((one) => one.receivedAtMs))
  const isKept = (receivedAt: number): boolean => policy === 'reconcile' || receivedAt === newest
  const added = settled
    .filter(({ receivedAtMs }) => isKept(receivedAtMs))
    .map((summary) => ({ receivedAt: summary.receivedAtMs, fingerprint: summary.fingerprint }))
  const kept = [...recent.filter(({ receivedAt }) => isKept(receivedAt)), ...added].sort(
    (a, b) => b.receivedAt - a.receivedAt,
  )
  return kept.slice(0, mostRemembered)
}

export interface Known {
  /** What arrived before counts as settled; null: nothing does. */
  sinceMs: number | null
  fingerprints: ReadonlySet<string>
}

/** What is known of a renumbered folder, from its last checkpoint. */
export const whatIsKnown = (checkpoint: Checkpoint, policy: Policy): Known => {
  const { recent, firstSightUid, lastUid, updatedAt } = checkpoint
  // Below a thousand every message that was ever looked at is remembered, but what `start` passed over was not.
  const isComplete = policy === 'reconcile' && recent.length < mostRemembered && firstSightUid === null
  const oldest = recent.at(-1)?.receivedAt ?? (lastUid > 0 ? updatedAt : null)
  return {
    sinceMs: isComplete ? null : oldest,
    fingerprints: new Set(recent.map(({ fingerprint }) => fingerprint)),
  }
}

export const isKnown = ({ sinceMs, fingerprints }: Known, summary: MessageSummary): boolean =>
  (sinceMs !== null && summary.receivedAtMs < sinceMs) || fingerprints.has(summary.fingerprint)

/** Nobody can tell which message it is now. */
export const renumberedMeanwhile = (uid: number): PosthornError => {
  const message = `message ${uid} was still to be tried again when the server renumbered the folder`
  return new PosthornError('IMAP_UIDVALIDITY_CHANGED', message, { stage: 'fetch' })
}
