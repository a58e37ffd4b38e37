/** What sort of message it is, from what its structure and its header say; never from words in subject or text. */
import type { MessageKind, Report } from '../message.ts'
import { unfold } from './decode-words.ts'
import type { FieldIndex } from './header-fields.ts'
import type { ReportKind } from './report.ts'

/** RFC 3464 2.3.3 and 2.3.4: an action of `failed`, or without an action a permanent status. Some say `expired`. */
const isFailure = (report: Report): boolean =>
  report.recipients.some(
    ({ action, status }) =>
      action === 'failed' || action === 'expired' || (action === null && status?.startsWith('5.') === true),
  )

/**
 * RFC 3834 5: `auto-replied`; not `auto-generated` or `auto-notified`, which answer nobody. Older programs say it with
 * fields of their own. `Precedence: bulk` alone is a mailing list.
 */
const isAutoReply = (fields: FieldIndex): boolean => {
  const word = (key: string): string => /^[^\s;(]*/.exec(unfold(fields.first(key) ?? '').toLowerCase())?.[0] ?? ''
  if (word('auto-submitted') === 'auto-replied') return true
  if (['auto_reply', 'auto-reply'].includes(word('precedence'))) return true
  if (word('x-autoreply') === 'yes') return true
  return fields.first('x-autorespond') !== null || fields.first('x-autoresponder') !== null
}

export const kindOf = (
  fields: FieldIndex,
  report: { kind: ReportKind; report: Report } | null,
  isCalendar: boolean,
): MessageKind => {
  if (report === null) {
    if (isAutoReply(fields)) return 'AUTO_REPLY'
    return isCalendar ? 'CALENDAR' : 'MESSAGE'
  }
  if (report.kind === 'delivery-status') return isFailure(report.report) ? 'BOUNCE' : 'DELIVERY_REPORT'
  return report.kind === 'feedback-report' ? 'FEEDBACK_REPORT' : 'DISPOSITION_NOTIFICATION'
}
