/**
 * Messages that failed and are tried again while their folder goes on (pure): a bounded number of times, then they are
 * dead letters. Only a failure that may be the message's own counts; an outage is waited for.
 */
import type { PendingMessage } from '../avro/records.ts'
import { PosthornError, type ErrorCode } from '../errors.ts'

/** Pauses before the second try and the later ones; as many failures and one more end in the dead letters. */
const pausesMs = [1_000, 5_000, 20_000, 60_000]
export const mostAttempts = pausesMs.length + 1

/** So many at once are no poison but an outage. */
const mostPending = 100

/** @throws PosthornError the last failure, where so many messages wait that it can't be their own */
export const chargeAll = (
  pending: readonly PendingMessage[],
  failures: ReadonlyMap<number, ErrorCode>,
  now: number,
): PendingMessage[] => {
  let charged = [...pending]
  for (const [uid, code] of failures) charged = charge(charged, uid, code, now)
  if (charged.length <= mostPending) return charged
  const message = `${charged.length} messages wait to be tried again: this is no fault of single messages`
  throw new PosthornError([...failures.values()].at(-1) ?? 'INTERNAL', message, { stage: 'fetch', retryable: true })
}

const charge = (pending: readonly PendingMessage[], uid: number, code: ErrorCode, now: number): PendingMessage[] => {
  const attempts = (pending.find((one) => one.uid === uid)?.attempts ?? 0) + 1
  const nextAttemptAt = now + (pausesMs[attempts - 1] ?? 0)
  return [...settle(pending, uid), { uid, attempts, reason: code, nextAttemptAt }].sort((a, b) => a.uid - b.uid)
}

export const settle = (pending: readonly PendingMessage[], uid: number): PendingMessage[] =>
  pending.filter((one) => one.uid !== uid)

export const whatIsDue = (pending: readonly PendingMessage[], now: number): PendingMessage[] =>
  pending.filter(({ nextAttemptAt }) => nextAttemptAt <= now)

/** When the next one is due, milliseconds since the epoch; null: none waits. */
export const nextDueAt = (pending: readonly PendingMessage[]): number | null =>
  pending.length === 0 ? null : Math.min(...pending.map(({ nextAttemptAt }) => nextAttemptAt))

/**
 * Whose fault a failure may be. `message`: the server or the store refuses this one. `connection`: it broke off, which a
 * single message can cause as well. `outage`: nothing that a message could cause.
 */
export const blame = ({ code, retryable }: PosthornError): 'message' | 'connection' | 'outage' => {
  if (code === 'IMAP_COMMAND_FAILED' || code === 'STORAGE_FAILED') return retryable ? 'outage' : 'message'
  if (code === 'IMAP_CONNECTION_LOST' || code === 'IMAP_TIMEOUT' || code === 'INTERNAL') return 'connection'
  return 'outage'
}
