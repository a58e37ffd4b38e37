/**
 * What the facts of a transaction mean (pure): decided from reply codes, enhanced codes and the phase alone, never from
 * a text.
 *
 * - 4yz is DEFERRED, 5yz is REJECTED (RFC 5321 4.2.1), for one recipient at RCPT and for all of them elsewhere.
 * - 552 at RCPT is how old servers say "too many recipients": DEFERRED (RFC 5321 4.5.3.1.10), unless its enhanced code
 *   says that it is about the mailbox.
 * - 530, 534, 535 and 538 (RFC 4954), and X.7.z (RFC 3463 3.8) at MAIL, which nothing of the mail but its sender has
 *   reached, are about the account: nothing is rejected, the account needs somebody's attention.
 * - Lost before the final dot was handed over: the mail was not sent. After it: nobody knows (RFC 1047).
 */
import type { RecipientResult } from '../../avro/records.ts'
import { PosthornError, type Stage } from '../../errors.ts'
import type { DeliveryOutcome } from '../smtp-outcome.ts'
import type { EnvelopeRecipient } from './envelope.ts'
import { quoteReply, type SmtpReply } from './reply.ts'
import { serverMessageIdOf } from './server-message-id.ts'
import type { TransactionFacts } from './transaction.ts'

type Step = 'MAIL' | 'RCPT' | 'DATA' | 'END'

const stages: Record<Step, Stage> = { MAIL: 'envelope', RCPT: 'envelope', DATA: 'data', END: 'reply' }

/** How a negative reply settles the recipients that it speaks of. */
interface Refusal {
  status: 'DEFERRED' | 'REJECTED'
  error: PosthornError
  accountFailure: boolean
}

const isNegative = (reply: SmtpReply): boolean => reply.code >= 400

/** Whether the reply is about the login. */
const isAboutLogin = ({ code }: SmtpReply): boolean => [530, 534, 535, 538].includes(code)

/**
 * Whether the server, instead of beginning a transaction, ends the session (421, RFC 5321 3.8) or has forgotten its login,
 * as servers do when the token of the login expires.
 */
export const endsSession = ({ mail }: TransactionFacts): boolean =>
  mail !== null && (mail.code === 421 || isAboutLogin(mail))

const isAboutAccount = (reply: SmtpReply, step: Step): boolean =>
  isAboutLogin(reply) || (step === 'MAIL' && reply.code >= 500 && (reply.enhancedCode?.startsWith('5.7.') ?? false))

/** X.3.4: too big for the system, X.2.3: for the mailbox (RFC 3463 3.3, 3.4). At MAIL 552 speaks of SIZE (RFC 1870 6.1). */
const isTooLarge = ({ code, enhancedCode }: SmtpReply, step: Step): boolean =>
  enhancedCode === '5.3.4' ||
  enhancedCode === '5.2.3' ||
  (code === 552 && (enhancedCode === null || (step === 'MAIL' && enhancedCode === '5.2.2')))

const refusalOf = (reply: SmtpReply, step: Step): Refusal => {
  const said = quoteReply(reply)
  const stage = stages[step]
  if (isAboutAccount(reply, step)) {
    const code = isAboutLogin(reply) ? 'SMTP_AUTHENTICATION_FAILED' : 'SMTP_DEFERRED'
    const action = 'Check the login of the account and what its provider allows it to send.'
    const message = `the server refuses the account at ${step}: ${said}`
    const error = new PosthornError(code, message, { stage, retryable: true, action })
    return { status: 'DEFERRED', error, accountFailure: true }
  }
  const tooManyRecipients =
    step === 'RCPT' && reply.code === 552 && (reply.enhancedCode === null || reply.enhancedCode === '5.5.3')
  if (reply.code < 500 || tooManyRecipients) {
    const message = `the server put the mail off at ${nameOf(step)}: ${said}`
    const error = new PosthornError('SMTP_DEFERRED', message, { stage, retryable: true })
    return { status: 'DEFERRED', error, accountFailure: false }
  }
  const code = isTooLarge(reply, step) ? 'SMTP_MESSAGE_TOO_LARGE' : 'SMTP_REJECTED'
  const message = `the server rejected the mail at ${nameOf(step)}: ${said}`
  return { status: 'REJECTED', error: new PosthornError(code, message, { stage }), accountFailure: false }
}

const nameOf = (step: Step): string => (step === 'END' ? 'the end of its data' : step)

const resultOf = (address: string, status: RecipientResult['status'], reply: SmtpReply | null): RecipientResult => ({
  address,
  status,
  responseCode: reply?.code ?? null,
  enhancedCode: reply?.enhancedCode ?? null,
  response: reply === null || reply.text === '' ? null : reply.text,
})

/** The failure that a reader should see first: what can be mended, before what is final. */
const gravest = (refusals: readonly Refusal[]): Refusal | undefined =>
  refusals.find(({ accountFailure }) => accountFailure) ??
  refusals.find(({ status }) => status === 'DEFERRED') ??
  refusals[0]

export const classifyTransaction = (
  facts: TransactionFacts,
  recipients: readonly EnvelopeRecipient[],
): DeliveryOutcome => {
  const refusals: Refusal[] = []
  const forAll = firstNegative(facts)
  const refusalForAll = forAll === null ? null : refusalOf(forAll.reply, forAll.step)
  const accepted = facts.end !== null && !isNegative(facts.end) ? facts.end : null
  const lost = accepted === null && refusalForAll === null ? facts.lost : null
  const results = recipients.map(({ address }, at) => {
    const reply = facts.rcpt[at] ?? null
    if (reply !== null && isNegative(reply) && forAll?.step !== 'MAIL') {
      const refusal = refusalOf(reply, 'RCPT')
      refusals.push(refusal)
      return resultOf(address, refusal.status, reply)
    }
    if (refusalForAll !== null && forAll !== null) {
      refusals.push(refusalForAll)
      return resultOf(address, refusalForAll.status, forAll.reply)
    }
    if (accepted !== null && reply !== null) return resultOf(address, 'ACCEPTED', accepted)
    return resultOf(address, 'DEFERRED', reply)
  })
  const refusal = gravest(refusals)
  const unknown = lost !== null && facts.dotWritten
  return {
    kind: unknown ? 'indeterminate' : kindOf(results),
    recipients: results,
    serverMessageId: accepted === null ? null : serverMessageIdOf(accepted),
    error: unknown ? outcomeUnknown(lost) : (lost ?? refusal?.error ?? null),
    accountFailure: refusal?.accountFailure ?? false,
  }
}

/** A negative reply that speaks of every recipient who was not refused before. */
const firstNegative = ({ mail, rcpt, data, end }: TransactionFacts): { step: Step; reply: SmtpReply } | null => {
  if (mail !== null && isNegative(mail)) return { step: 'MAIL', reply: mail }
  if (end !== null && isNegative(end)) return { step: 'END', reply: end }
  if (data !== null && isNegative(data)) return { step: 'DATA', reply: data }
  // 421 ends the session, whatever it answers (RFC 5321 3.8).
  const closing = rcpt.find((reply) => reply?.code === 421)
  return closing ? { step: 'RCPT', reply: closing } : null
}

const kindOf = (recipients: readonly RecipientResult[]): 'delivered' | 'retry' | 'reject' => {
  if (recipients.some(({ status }) => status === 'DEFERRED')) return 'retry'
  return recipients.some(({ status }) => status === 'ACCEPTED') ? 'delivered' : 'reject'
}

const outcomeUnknown = (cause: PosthornError): PosthornError =>
  new PosthornError(
    'SMTP_OUTCOME_UNKNOWN',
    `the whole mail was written, then ${cause.message}: whether the server took it is not known`,
    { stage: 'reply', retryable: true, cause },
  )

/**
 * The outcome of a mail that did not reach the server at all: every recipient is DEFERRED, or REJECTED where trying
 * again can't help.
 */
export const unsent = (
  error: PosthornError,
  recipients: readonly EnvelopeRecipient[],
  accountFailure = false,
): DeliveryOutcome => ({
  kind: error.retryable ? 'retry' : 'reject',
  recipients: recipients.map(({ address }) => resultOf(address, error.retryable ? 'DEFERRED' : 'REJECTED', null)),
  serverMessageId: null,
  error,
  accountFailure,
})
