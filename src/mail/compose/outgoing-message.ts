/** A send request that was found valid, in the words of mail: what `compose-message.ts` makes MIME of. */
import type { Disposition, ObjectRef, Priority } from '../../avro/records.ts'
import type { EnvelopeDsn, EnvelopeRecipient } from '../smtp/envelope.ts'

/** One mailbox (RFC 5322 3.4). */
export interface Mailbox {
  name: string | null
  /** Bare, as the request wrote it. */
  address: string
  /** For the wire: the domain as A-labels (RFC 5890), the local part as written. */
  path: string
}

/** A body of any media type. */
export interface OutgoingBody {
  contentType: string
  content: Buffer
}

export interface OutgoingAttachment {
  /** Null: a random name. */
  fileName: string | null
  /** Null: `application/binary`. */
  contentType: string | null
  /** Without angle brackets. */
  contentId: string | null
  disposition: Disposition
  content: Buffer | ObjectRef
}

export interface OutgoingMessage {
  /** With angle brackets. */
  messageId: string
  from: Mailbox
  to: readonly Mailbox[]
  cc: readonly Mailbox[]
  replyTo: readonly Mailbox[]
  /** To, cc and bcc, each address once. */
  recipients: readonly EnvelopeRecipient[]
  subject: string | null
  text: string | null
  html: string | null
  body: OutgoingBody | null
  attachments: readonly OutgoingAttachment[]
  /** Extra fields. */
  headers: readonly (readonly [name: string, value: string])[]
  /** With angle brackets, like those below. */
  inReplyTo: string | null
  references: readonly string[]
  priority: Priority | null
  dsn: EnvelopeDsn
}
