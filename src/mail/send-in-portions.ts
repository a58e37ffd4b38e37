/**
 * A mail to more recipients than the server takes at once: the others get it in a transaction of their own, at once, as
 * RFC 5321 4.5.3.1.10 wants it, and not after a pause.
 */
import type { RecipientResult } from '../avro/records.ts'
import type { DeliveryOutcome } from './smtp-outcome.ts'
import type { SmtpMessage } from './smtp/session.ts'

/** 452 and, of old servers, 552; an enhanced code may say that it is about something else (RFC 3463 3.6). */
const isOneTooMany = ({ status, responseCode, enhancedCode }: RecipientResult): boolean =>
  status === 'DEFERRED' &&
  (responseCode === 452 || responseCode === 552) &&
  (enhancedCode === null || /^[45]\.5\.3$/.test(enhancedCode))

export const sendInPortions = async <M extends SmtpMessage>(
  message: M,
  send: (message: M) => Promise<DeliveryOutcome>,
): Promise<DeliveryOutcome> => {
  const outcome = await send(message)
  const tooMany = new Set(outcome.recipients.filter(isOneTooMany).map(({ address }) => address))
  const someoneHasIt = outcome.recipients.some(({ status }) => status === 'ACCEPTED')
  if (outcome.kind !== 'retry' || tooMany.size === 0 || !someoneHasIt) return outcome
  const recipients = message.envelope.recipients.filter(({ address }) => tooMany.has(address))
  // Each portion is smaller than the one before: somebody has got it.
  const rest = await sendInPortions({ ...message, envelope: { ...message.envelope, recipients } }, send)
  return join(outcome, rest)
}

const join = (first: DeliveryOutcome, rest: DeliveryOutcome): DeliveryOutcome => {
  const later = new Map(rest.recipients.map((recipient) => [recipient.address, recipient]))
  const recipients = first.recipients.map((recipient) => later.get(recipient.address) ?? recipient)
  const isOpen = recipients.some(({ status }) => status === 'DEFERRED')
  const isDelivered = rest.kind !== 'indeterminate' && !isOpen
  // That the rest could not even be offered (the process stops, nobody is logged in) must not hide what the first has done.
  const error = rest.recipients.every(({ responseCode }) => responseCode === null) ? first.error : rest.error
  return {
    kind: rest.kind === 'indeterminate' ? 'indeterminate' : isDelivered ? 'delivered' : 'retry',
    recipients,
    serverMessageId: first.serverMessageId,
    error: recipients.every(({ status }) => status === 'ACCEPTED') ? null : (error ?? first.error),
    accountFailure: rest.accountFailure,
  }
}
