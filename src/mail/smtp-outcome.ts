/** What became of one attempt to deliver a mail (closed). */
import type { RecipientResult } from '../avro/records.ts'
import type { PosthornError } from '../errors.ts'

/**
 * - `delivered`: every recipient of this attempt is settled, and the server took the mail for at least one
 * - `retry`: some recipients, or all, may be accepted later; nothing of the mail was taken for them
 * - `reject`: no recipient was accepted and none may be later
 * - `indeterminate`: the whole mail was written and the reply did not come: the server may or may not have it
 */
export type DeliveryKind = 'delivered' | 'retry' | 'reject' | 'indeterminate'

export interface DeliveryOutcome {
  kind: DeliveryKind
  /** The recipients of this attempt; those of whom nothing is known yet are DEFERRED. */
  recipients: RecipientResult[]
  serverMessageId: string | null
  /** Null only when every recipient was accepted. */
  error: PosthornError | null
  /** The server refuses the account, not the mail: authentication, policy, quota of the sender. */
  accountFailure: boolean
}
