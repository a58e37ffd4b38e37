/** The sending side of an account, as the flow uses it. */
import type { RecipientResult, SendRequest } from '../avro/records.ts'
import type { DeliveryOutcome } from '../mail/smtp-outcome.ts'
import type { MailSeed } from './send-history.ts'

/** A mail that is ready to go. */
export interface PreparedMail {
  /** Who will get it, all DEFERRED. */
  recipients: RecipientResult[]
  /** @param signal once it is aborted, what waits for a connection comes back as `STOPPED` */
  deliver(signal: AbortSignal): Promise<DeliveryOutcome>
}

export interface Outbox {
  /** Nothing can be sent until a person has logged in. */
  readonly isPaused: boolean
  /** The Message-ID for a request that has none yet. */
  messageIdOf(request: SendRequest): string
  /** @throws PosthornError `REQUEST_*` */
  validate(request: SendRequest): void
  /**
   * @param messageId with angle brackets
   * @param except bare addresses that are settled already and must not get the mail again
   * @throws PosthornError `REQUEST_*`, or a retryable one when something that the mail needs can't be reached now
   */
  prepare(request: SendRequest, messageId: string, except: ReadonlySet<string>, seed: MailSeed): Promise<PreparedMail>
  /**
   * Looks for the mail among those that the account has sent, for ten seconds.
   *
   * @throws PosthornError when the folder can't be looked at
   */
  wasSent(messageId: string): Promise<boolean>
  /** Puts the mail into its `saveToFolder`, once, however often it is called. @throws PosthornError */
  save(request: SendRequest, messageId: string, seed: MailSeed): Promise<void>
}
