/** What is asked of every message before it is fetched, and what the answer means (pure). */
import { createHash } from 'node:crypto'
import type { FetchQueryObject } from 'imapflow'
import type { FetchAnswer } from './fetch-answer.ts'
import type { MessageSummary } from './mailbox.ts'

export const summaryQuery: FetchQueryObject = {
  flags: true,
  size: true,
  internalDate: true,
  threadId: true,
  headers: ['from', 'to', 'subject', 'date', 'message-id'],
}

const timeOf = (date: Date | string | undefined): number => (date === undefined ? Number.NaN : new Date(date).getTime())

/** INTERNALDATE; where the server omits it the Date field, else the beginning of time. */
const arrivalOf = (internalDate: Date | string | undefined, header: Buffer): number => {
  const written = /^date:(.*)$/im.exec(header.toString('latin1'))?.[1]?.trim()
  return [timeOf(internalDate), timeOf(written)].find((time) => Number.isSafeInteger(time)) ?? 0
}

export const isSummary = ({ uid, size, flags, internalDate, headers }: FetchAnswer): boolean =>
  [uid, size, flags, internalDate, headers].every((told) => told !== undefined)

/** OBJECTID and Gmail's message ids outlive a UIDVALIDITY (RFC 8474 5.1). */
const fingerprintOf = (emailId: string | null, receivedAtMs: number, size: number, header: Buffer): string => {
  const hash = createHash('sha256')
  if (emailId === null) hash.update(`${receivedAtMs} ${size}\n`).update(header)
  else hash.update(emailId)
  return hash.digest('base64url').slice(0, 12)
}

/** Null: another client's change of flags, which looks like an answer with nothing else in it. */
export const toSummary = (item: FetchAnswer): { summary: MessageSummary; header: Buffer } | null => {
  const { uid, size, flags, internalDate, emailId = null, threadId = null, headers } = item
  if (uid === undefined || size === undefined || headers === undefined) return null
  const receivedAtMs = arrivalOf(internalDate, headers)
  const fingerprint = fingerprintOf(emailId, receivedAtMs, size, headers)
  const summary = { uid, size, flags: [...(flags ?? [])], receivedAtMs, emailId, threadId, fingerprint }
  return { summary, header: headers }
}
