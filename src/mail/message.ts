/**
 * The vocabulary of received mail: what `parse` yields and what the rest of the inbound flow reads.
 *
 * Everything here is decoded text or bytes. Nothing is invented: a field that the mail does not have, or that cannot
 * be read, is null or an empty list, and `defects` says what was malformed.
 */

/** One mailbox of an address list (RFC 5322 3.4). `address` is as written, without angle brackets or comments. */
export interface Address {
  name: string | null
  address: string
}

export interface HeaderField {
  /** As written, without the colon. */
  name: string
  /** Unfolded, encoded words (RFC 2047) decoded. */
  value: string
}

export type Disposition = 'ATTACHMENT' | 'INLINE'

/** The two bodies a message can have. */
export type BodyKind = 'text' | 'html'

export type MessageKind =
  | 'MESSAGE'
  | 'BOUNCE'
  | 'DELIVERY_REPORT'
  | 'FEEDBACK_REPORT'
  | 'DISPOSITION_NOTIFICATION'
  | 'AUTO_REPLY'
  | 'CALENDAR'

/** S/MIME (RFC 8551) and PGP (RFC 3156, RFC 9580), by what the mail says: nothing is verified or decrypted. */
export type Protection = 'NONE' | 'SIGNED' | 'ENCRYPTED'

/** What is known of an attachment before its content: the store needs it to name the object. */
export interface AttachmentHead {
  /** From 0, in MIME order. */
  index: number
  /** Decoded, as the mail says; not made safe. */
  fileName: string | null
  /** `type/subtype` in lower case, as the mail says; the default of RFC 2045 5.2 where it says nothing. */
  contentType: string
  /** With its angle brackets. */
  contentId: string | null
  disposition: Disposition
}

/** The content of one attachment, transfer encoding removed. Small ones come whole, big ones as a stream. */
export interface Attachment extends AttachmentHead {
  content: Buffer
}

export interface ReportRecipient {
  finalRecipient: string | null
  originalRecipient: string | null
  action: string | null
  status: string | null
  diagnostic: string | null
  remoteMta: string | null
}

/** Fields of a machine-readable report: RFC 3464 (delivery), RFC 8098 (disposition), RFC 5965 (feedback). */
export interface Report {
  originalMessageId: string | null
  originalEnvelopeId: string | null
  reportingMta: string | null
  disposition: string | null
  feedbackType: string | null
  recipients: ReportRecipient[]
}

/** A message without its attachments' content. */
export interface ParsedMessage {
  /** With its angle brackets, as written; null where there is none. */
  messageId: string | null
  inReplyTo: string | null
  references: string[]
  subject: string | null
  from: Address[]
  sender: Address[]
  replyTo: Address[]
  to: Address[]
  cc: Address[]
  bcc: Address[]
  /** Milliseconds since the epoch; null where the Date field is absent or unreadable. */
  date: number | null
  /** Of the top level, `type/subtype` in lower case. */
  contentType: string
  headers: HeaderField[]
  /** The plain text body with `\n` line breaks; null where there is none or it is one of `largeBodies`. */
  text: string | null
  html: string | null
  /** Bodies above the inline bound: they were handed over apart, as UTF-8 bytes. */
  largeBodies: BodyKind[]
  kind: MessageKind
  report: Report | null
  protection: Protection
  /** Closed vocabulary of the parser: `<what>: <how it was read>`. Never mail content. */
  defects: string[]
}
