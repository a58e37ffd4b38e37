/** Ties a report to the request whose mail it is about, where it proves that (pure). */
import type { Report as SchemaReport } from '../avro/records.ts'
import { deriveMessageId } from '../mail/compose/message-id.ts'
import type { Report } from '../mail/message.ts'

/**
 * Anybody can send a report and write any id into it. What a forger can't do is name an envelope id and the Message-ID
 * that belongs to it: Posthorn gives a mail its request's id as envelope id, and a digest of account and id as
 * Message-ID. Both travelled with the mail, so whoever had it in hand knows them; nobody else does, as long as ids
 * can't be guessed.
 *
 * @param accounts that may have sent it: bounces often come back to a mailbox of another account
 * @returns null where nothing is proven
 */
export const requestOf = (
  { originalEnvelopeId, originalMessageId }: Report,
  accounts: readonly string[],
): string | null => {
  if (originalEnvelopeId === null || originalMessageId === null) return null
  const domain = originalMessageId.slice(originalMessageId.lastIndexOf('@') + 1, -1)
  const isOurs = accounts.some((account) => deriveMessageId(account, originalEnvelopeId, domain) === originalMessageId)
  return isOurs ? originalEnvelopeId : null
}

export const matchReport = (report: Report | null, accounts: readonly string[]): SchemaReport | null =>
  report === null ? null : { ...report, requestId: requestOf(report, accounts) }
