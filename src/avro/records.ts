/* GENERATED from schemas/*.avsc by scripts/generate-types.ts: change those and run it again. Do not edit. */

/** A message that failed and is tried again while the folder goes on. */
export interface PendingMessage {
  /** At or below lastUid. */
  uid: number
  /** How often it has failed. */
  attempts: number
  /** Code of the last failure, of the closed list in docs/errors.md. */
  reason: string
  /** Not to be tried before this time. Milliseconds since the epoch. */
  nextAttemptAt: number
}

/** Consecutive UIDs. */
export interface UidRange {
  /** Lowest UID. */
  first: number
  /** Highest UID, inclusive. */
  last: number
}

/** A settled message, to be known again when the server renumbers the folder. */
export interface RecentMessage {
  /** INTERNALDATE. Milliseconds since the epoch. */
  receivedAt: number
  /** Hash of its emailId, else of INTERNALDATE, size and header. */
  fingerprint: string
}

/** How far a mailbox folder has been read. Topic mail.checkpoints (compacted), in the partition that the account has in the commands topic; key: account/folder, each percent-encoded. Written in one transaction with the records that it accounts for. */
export interface Checkpoint {
  /** The configured account. */
  account: string
  /** Folder of the account. */
  folder: string
  /** UIDVALIDITY under which all UIDs here hold. */
  uidValidity: number
  /** Every UID up to this one is settled (published, dead-lettered or not selected) but for those in pending. 0: none yet. */
  lastUid: number
  /** Ascending by UID. */
  pending: PendingMessage[]
  /** Published messages whose after-read action is not known to be done: written with the publication, dropped by a later checkpoint, repeated after a restart. Ascending, not overlapping. */
  afterReadPending: UidRange[]
  /** An after-read move by copying (a server without MOVE, RFC 6851) is under way for the first of afterReadPending: its copies have this UID or a higher one in the destination. Null: none is. */
  afterReadToUidNext: number | null
  /** Highest UID that was there when the folder was first seen: up to it the account's start rule decides what is taken, above it everything is. Null: no such limit. */
  firstSightUid: number | null
  /** Which of the UIDs from lastUid to firstSightUid are taken, where that was settled at first sight (start: unread) or when the server had renumbered the folder. Ascending, not overlapping. Null: the start rule decides when the message is looked at. */
  atFirstSight: UidRange[] | null
  /** The newest by INTERNALDATE, newest first: with uidValidityChanged reconcile up to 1,000, else those of the newest second. */
  recent: RecentMessage[]
  /** HIGHESTMODSEQ (RFC 7162) in decimal digits as of this checkpoint; a string, for it takes 63 bits. */
  highestModSeq: string | null
  /** When this checkpoint was made. Milliseconds since the epoch. */
  updatedAt: number
}

/** Checkpoint as a producer writes it: what has a default may be left out. */
export interface CheckpointInput {
  /** The configured account. */
  account: string
  /** Folder of the account. */
  folder: string
  /** UIDVALIDITY under which all UIDs here hold. */
  uidValidity: number
  /** Every UID up to this one is settled (published, dead-lettered or not selected) but for those in pending. 0: none yet. */
  lastUid: number
  /** Ascending by UID. */
  pending?: PendingMessage[] | undefined
  /** Published messages whose after-read action is not known to be done: written with the publication, dropped by a later checkpoint, repeated after a restart. Ascending, not overlapping. */
  afterReadPending?: UidRange[] | undefined
  /** An after-read move by copying (a server without MOVE, RFC 6851) is under way for the first of afterReadPending: its copies have this UID or a higher one in the destination. Null: none is. */
  afterReadToUidNext?: number | null | undefined
  /** Highest UID that was there when the folder was first seen: up to it the account's start rule decides what is taken, above it everything is. Null: no such limit. */
  firstSightUid?: number | null | undefined
  /** Which of the UIDs from lastUid to firstSightUid are taken, where that was settled at first sight (start: unread) or when the server had renumbered the folder. Ascending, not overlapping. Null: the start rule decides when the message is looked at. */
  atFirstSight?: UidRange[] | null | undefined
  /** The newest by INTERNALDATE, newest first: with uidValidityChanged reconcile up to 1,000, else those of the newest second. */
  recent?: RecentMessage[] | undefined
  /** HIGHESTMODSEQ (RFC 7162) in decimal digits as of this checkpoint; a string, for it takes 63 bits. */
  highestModSeq?: string | null | undefined
  /** When this checkpoint was made. Milliseconds since the epoch. */
  updatedAt: number
}

/** One mailbox of an address list (RFC 5322 3.4). */
export interface Address {
  /** Decoded display name. */
  name: string | null
  /** Bare address, as written. */
  address: string
}

/** Address as a producer writes it: what has a default may be left out. */
export interface AddressInput {
  /** Decoded display name. */
  name?: string | null | undefined
  /** Bare address, as written. */
  address: string
}

/** One header field. */
export interface HeaderField {
  /** As written, without the colon. */
  name: string
  /** Unfolded and decoded. */
  value: string
}

/** An object in S3-compatible storage. */
export interface ObjectRef {
  /** Name of the bucket. */
  bucket: string
  /** Key within the bucket. */
  key: string
  /** Version of the object. Null: the current one. */
  versionId: string | null
  /** Bytes, where known. */
  size: number | null
  /** SHA-256 of the bytes in lower-case hex, where known. */
  sha256: string | null
}

/** ObjectRef as a producer writes it: what has a default may be left out. */
export interface ObjectRefInput {
  /** Name of the bucket. */
  bucket: string
  /** Key within the bucket. */
  key: string
  /** Version of the object. Null: the current one. */
  versionId?: string | null | undefined
  /** Bytes, where known. */
  size?: number | null | undefined
  /** SHA-256 of the bytes in lower-case hex, where known. */
  sha256?: string | null | undefined
}

/** How a part is to be shown (RFC 2183). */
export type Disposition = 'ATTACHMENT' | 'INLINE'

/** An attachment of a received mail; its bytes are in the object. */
export interface InboundAttachment {
  /** From 0 in MIME order. */
  index: number
  /** Decoded, as the mail says: not safe to be used as a path. */
  fileName: string | null
  /** type/subtype in lower case, as the mail says. */
  contentType: string
  /** Content-ID with its angle brackets. */
  contentId: string | null
  /** ATTACHMENT also where the mail says nothing or something unknown. */
  disposition: Disposition
  /** Bytes after transfer decoding. */
  size: number
  /** SHA-256 of these bytes in lower-case hex. */
  sha256: string
  /** Where they are. */
  object: ObjectRef
}

/** InboundAttachment as a producer writes it: what has a default may be left out. */
export interface InboundAttachmentInput {
  /** From 0 in MIME order. */
  index: number
  /** Decoded, as the mail says: not safe to be used as a path. */
  fileName?: string | null | undefined
  /** type/subtype in lower case, as the mail says. */
  contentType: string
  /** Content-ID with its angle brackets. */
  contentId?: string | null | undefined
  /** ATTACHMENT also where the mail says nothing or something unknown. */
  disposition: Disposition
  /** Bytes after transfer decoding. */
  size: number
  /** SHA-256 of these bytes in lower-case hex. */
  sha256: string
  /** Where they are. */
  object: ObjectRefInput
}

/** What sort of mail it is. */
export type MessageKind = 'MESSAGE' | 'BOUNCE' | 'DELIVERY_REPORT' | 'FEEDBACK_REPORT' | 'DISPOSITION_NOTIFICATION' | 'AUTO_REPLY' | 'CALENDAR'

/** What a report says of one recipient. */
export interface ReportRecipient {
  /** Final-Recipient without its address type. */
  finalRecipient: string | null
  /** Original-Recipient without its address type. */
  originalRecipient: string | null
  /** Action field, such as failed. */
  action: string | null
  /** Status field, such as 5.1.1. */
  status: string | null
  /** Diagnostic-Code without its type. */
  diagnostic: string | null
  /** Remote-MTA without its type. */
  remoteMta: string | null
}

/** ReportRecipient as a producer writes it: what has a default may be left out. */
export interface ReportRecipientInput {
  /** Final-Recipient without its address type. */
  finalRecipient?: string | null | undefined
  /** Original-Recipient without its address type. */
  originalRecipient?: string | null | undefined
  /** Action field, such as failed. */
  action?: string | null | undefined
  /** Status field, such as 5.1.1. */
  status?: string | null | undefined
  /** Diagnostic-Code without its type. */
  diagnostic?: string | null | undefined
  /** Remote-MTA without its type. */
  remoteMta?: string | null | undefined
}

/** Fields of a machine-readable report: RFC 3464 (delivery), RFC 8098 (disposition), RFC 5965 (feedback). */
export interface Report {
  /** Message-ID of the mail that it is about, with its angle brackets. */
  originalMessageId: string | null
  /** Envelope id (ENVID) of the mail that it is about. */
  originalEnvelopeId: string | null
  /** The request that it answers, only where envelope id and Message-ID are together those that Posthorn gave to a mail; null where that is not proven, as in a forged report. */
  requestId: string | null
  /** The server that reports. */
  reportingMta: string | null
  /** Disposition field of RFC 8098. */
  disposition: string | null
  /** Feedback-Type field of RFC 5965. */
  feedbackType: string | null
  /** In the report's order. */
  recipients: ReportRecipient[]
}

/** Report as a producer writes it: what has a default may be left out. */
export interface ReportInput {
  /** Message-ID of the mail that it is about, with its angle brackets. */
  originalMessageId?: string | null | undefined
  /** Envelope id (ENVID) of the mail that it is about. */
  originalEnvelopeId?: string | null | undefined
  /** The request that it answers, only where envelope id and Message-ID are together those that Posthorn gave to a mail; null where that is not proven, as in a forged report. */
  requestId?: string | null | undefined
  /** The server that reports. */
  reportingMta?: string | null | undefined
  /** Disposition field of RFC 8098. */
  disposition?: string | null | undefined
  /** Feedback-Type field of RFC 5965. */
  feedbackType?: string | null | undefined
  /** In the report's order. */
  recipients?: ReportRecipientInput[] | undefined
}

/** S/MIME and PGP, by what the mail says: nothing is verified or decrypted. */
export type Protection = 'NONE' | 'SIGNED' | 'ENCRYPTED'

/** One mail as it was found in a mailbox folder. Topic mail.inbound; key: dedupeId. Every object that it names is stored before it becomes visible. */
export interface InboundMessage {
  /** Account, folder, UIDVALIDITY and UID joined unambiguously: the same for the same message in the same folder, always. */
  dedupeId: string
  /** The configured account. */
  account: string
  /** Folder in which it was found. */
  folder: string
  /** UIDVALIDITY of the folder (RFC 9051 2.3.1.1). */
  uidValidity: number
  /** UID of the message in the folder. */
  uid: number
  /** EMAILID (RFC 8474) or X-GM-MSGID, where the server has it. */
  emailId: string | null
  /** THREADID (RFC 8474) or X-GM-THRID, where the server has it. */
  threadId: string | null
  /** As written, with its angle brackets. Null where the mail has none. */
  messageId: string | null
  /** Message-ID that it answers, with its angle brackets. */
  inReplyTo: string | null
  /** Message-IDs of its thread, with their angle brackets. */
  references: string[]
  /** Decoded. Null where there is no Subject field. */
  subject: string | null
  /** The From field. */
  from: Address[]
  /** The Sender field. */
  sender: Address[]
  /** The Reply-To field. */
  replyTo: Address[]
  /** The To field. */
  to: Address[]
  /** The Cc field. */
  cc: Address[]
  /** The Bcc field, where the mail has one. */
  bcc: Address[]
  /** The Date field. Null where it is absent or unreadable. Milliseconds since the epoch. */
  date: number | null
  /** INTERNALDATE: when the server received it. Milliseconds since the epoch. */
  receivedAt: number
  /** Bytes of the whole mail as the server holds it (RFC822.SIZE). */
  size: number
  /** IMAP flags and keywords when it was read, such as \Seen. */
  flags: string[]
  /** Of the top level, type/subtype in lower case. */
  contentType: string
  /** All header fields of the top level in their order. */
  headers: HeaderField[]
  /** The plain text body; one above the configured size is stored as a UTF-8 object and named here. */
  text: string | ObjectRef | null
  /** The HTML body, as text. */
  html: string | ObjectRef | null
  /** In MIME order. */
  attachments: InboundAttachment[]
  /** The whole mail as the server holds it, where the configuration keeps it. */
  raw: ObjectRef | null
  /** MESSAGE for everything that is none of the others. */
  kind: MessageKind
  /** Of a report; null otherwise. What it says is what its sender claims; only requestId is proven. */
  report: Report | null
  /** Whether the mail says that it is signed or encrypted. Its parts are stored as they came; keepRaw keeps what a signature covers. */
  protection: Protection
  /** What was malformed and how it was read; never mail content. */
  defects: string[]
}

/** InboundMessage as a producer writes it: what has a default may be left out. */
export interface InboundMessageInput {
  /** Account, folder, UIDVALIDITY and UID joined unambiguously: the same for the same message in the same folder, always. */
  dedupeId: string
  /** The configured account. */
  account: string
  /** Folder in which it was found. */
  folder: string
  /** UIDVALIDITY of the folder (RFC 9051 2.3.1.1). */
  uidValidity: number
  /** UID of the message in the folder. */
  uid: number
  /** EMAILID (RFC 8474) or X-GM-MSGID, where the server has it. */
  emailId?: string | null | undefined
  /** THREADID (RFC 8474) or X-GM-THRID, where the server has it. */
  threadId?: string | null | undefined
  /** As written, with its angle brackets. Null where the mail has none. */
  messageId?: string | null | undefined
  /** Message-ID that it answers, with its angle brackets. */
  inReplyTo?: string | null | undefined
  /** Message-IDs of its thread, with their angle brackets. */
  references?: string[] | undefined
  /** Decoded. Null where there is no Subject field. */
  subject?: string | null | undefined
  /** The From field. */
  from?: AddressInput[] | undefined
  /** The Sender field. */
  sender?: AddressInput[] | undefined
  /** The Reply-To field. */
  replyTo?: AddressInput[] | undefined
  /** The To field. */
  to?: AddressInput[] | undefined
  /** The Cc field. */
  cc?: AddressInput[] | undefined
  /** The Bcc field, where the mail has one. */
  bcc?: AddressInput[] | undefined
  /** The Date field. Null where it is absent or unreadable. Milliseconds since the epoch. */
  date?: number | null | undefined
  /** INTERNALDATE: when the server received it. Milliseconds since the epoch. */
  receivedAt: number
  /** Bytes of the whole mail as the server holds it (RFC822.SIZE). */
  size: number
  /** IMAP flags and keywords when it was read, such as \Seen. */
  flags?: string[] | undefined
  /** Of the top level, type/subtype in lower case. */
  contentType: string
  /** All header fields of the top level in their order. */
  headers?: HeaderField[] | undefined
  /** The plain text body; one above the configured size is stored as a UTF-8 object and named here. */
  text?: string | ObjectRefInput | null | undefined
  /** The HTML body, as text. */
  html?: string | ObjectRefInput | null | undefined
  /** In MIME order. */
  attachments?: InboundAttachmentInput[] | undefined
  /** The whole mail as the server holds it, where the configuration keeps it. */
  raw?: ObjectRefInput | null | undefined
  /** MESSAGE for everything that is none of the others. */
  kind?: MessageKind | undefined
  /** Of a report; null otherwise. What it says is what its sender claims; only requestId is proven. */
  report?: ReportInput | null | undefined
  /** Whether the mail says that it is signed or encrypted. Its parts are stored as they came; keepRaw keeps what a signature covers. */
  protection?: Protection | undefined
  /** What was malformed and how it was read; never mail content. */
  defects?: string[] | undefined
}

/** What is done to each message. */
export type MailboxAction = 'MOVE' | 'ARCHIVE' | 'COPY' | 'DELETE' | 'ADD_FLAGS' | 'REMOVE_FLAGS' | 'MARK_SEEN' | 'MARK_UNSEEN' | 'REDELIVER'

/** Messages by UID. */
export interface UidTarget {
  /** UIDs in fromFolder. */
  uids: number[]
  /** UIDVALIDITY under which they were seen; another one is refused. */
  uidValidity: number
}

/** Messages by Message-ID. */
export interface MessageIdTarget {
  /** With their angle brackets; every message that has one of them is meant. */
  messageIds: string[]
}

/** All conditions that are not null must hold. */
export interface MessageFilter {
  /** Part of the subject, regardless of case. */
  subject: string | null
  /** Glob over the whole bare From address, regardless of case. */
  from: string | null
  /** Glob over a whole bare To address, regardless of case. */
  to: string | null
  /** Whether it has been read. */
  seen: boolean | null
  /** Received at or after this time. Milliseconds since the epoch. */
  since: number | null
  /** Received before this time. Milliseconds since the epoch. */
  before: number | null
  /** More than so many bytes. */
  larger: number | null
  /** Fewer than so many bytes. */
  smaller: number | null
}

/** MessageFilter as a producer writes it: what has a default may be left out. */
export interface MessageFilterInput {
  /** Part of the subject, regardless of case. */
  subject?: string | null | undefined
  /** Glob over the whole bare From address, regardless of case. */
  from?: string | null | undefined
  /** Glob over a whole bare To address, regardless of case. */
  to?: string | null | undefined
  /** Whether it has been read. */
  seen?: boolean | null | undefined
  /** Received at or after this time. Milliseconds since the epoch. */
  since?: number | null | undefined
  /** Received before this time. Milliseconds since the epoch. */
  before?: number | null | undefined
  /** More than so many bytes. */
  larger?: number | null | undefined
  /** Fewer than so many bytes. */
  smaller?: number | null | undefined
}

/** Messages by what they are like. */
export interface FilterTarget {
  /** The conditions. */
  filter: MessageFilter
}

/** FilterTarget as a producer writes it: what has a default may be left out. */
export interface FilterTargetInput {
  /** The conditions. */
  filter: MessageFilterInput
}

/** Every message of the folder. */
export interface AllTarget {
  /** Must be true. */
  all: boolean
}

/** Something to be done to messages in a mailbox. Topic mail.commands; key: the account, so that the worker that owns the mailbox gets it. */
export interface MailboxCommand {
  /** Returned in the result: 1 to 255 characters without control characters. */
  id: string
  /** The configured account, the same as the record's key. */
  account: string
  /** REDELIVER publishes the message to mail.inbound once more. */
  action: MailboxAction
  /** Folder that holds the messages. */
  fromFolder: string
  /** Target of MOVE and COPY. Null with ARCHIVE: the account's archive folder, else the server's own (SPECIAL-USE \Archive). */
  toFolder: string | null
  /** Whether a missing target folder is created. */
  createFolder: boolean
  /** Flags or keywords of ADD_FLAGS and REMOVE_FLAGS, such as \Flagged. */
  flags: string[]
  /** Which messages are meant. */
  target: UidTarget | MessageIdTarget | FilterTarget | AllTarget
  /** Most messages handled in one batch. Null: the worker's own choice. */
  folderSizeLimit: number | null
}

/** MailboxCommand as a producer writes it: what has a default may be left out. */
export interface MailboxCommandInput {
  /** Returned in the result: 1 to 255 characters without control characters. */
  id: string
  /** The configured account, the same as the record's key. */
  account: string
  /** REDELIVER publishes the message to mail.inbound once more. */
  action: MailboxAction
  /** Folder that holds the messages. */
  fromFolder?: string | undefined
  /** Target of MOVE and COPY. Null with ARCHIVE: the account's archive folder, else the server's own (SPECIAL-USE \Archive). */
  toFolder?: string | null | undefined
  /** Whether a missing target folder is created. */
  createFolder?: boolean | undefined
  /** Flags or keywords of ADD_FLAGS and REMOVE_FLAGS, such as \Flagged. */
  flags?: string[] | undefined
  /** Which messages are meant. */
  target: UidTarget | MessageIdTarget | FilterTargetInput | AllTarget
  /** Most messages handled in one batch. Null: the worker's own choice. */
  folderSizeLimit?: number | null | undefined
}

/** Outcome of a command. */
export type CommandStatus = 'DONE' | 'PARTIAL' | 'NOT_FOUND' | 'REJECTED' | 'FAILED'

/** Where one message went. */
export interface MovedMessage {
  /** UID in fromFolder. */
  fromUid: number
  /** UID in toFolder, where the server tells it. */
  toUid: number | null
}

/** MovedMessage as a producer writes it: what has a default may be left out. */
export interface MovedMessageInput {
  /** UID in fromFolder. */
  fromUid: number
  /** UID in toFolder, where the server tells it. */
  toUid?: number | null | undefined
}

/** Why a command is not or not wholly done. */
export interface CommandError {
  /** Code of the closed list in docs/errors.md. */
  code: string
  /** One sentence for a person. */
  message: string
}

/** What became of a MailboxCommand. Topic mail.command.results; key: the command id. */
export interface MailboxCommandResult {
  /** The command's id. */
  id: string
  /** The command's account. */
  account: string
  /** The command's action. */
  action: MailboxAction
  /** PARTIAL: some of the messages are not there or could not be changed. NOT_FOUND: nothing matched. REJECTED: the command can't be carried out as it is. FAILED: it was tried. */
  status: CommandStatus
  /** Messages found. */
  matched: number
  /** Messages done. */
  changed: number
  /** Of MOVE, ARCHIVE and COPY. */
  moved: MovedMessage[]
  /** Folder that holds or held the messages. */
  fromFolder: string
  /** Folder that they went to. */
  toFolder: string | null
  /** Null when all went well. */
  error: CommandError | null
  /** When this result was made. Milliseconds since the epoch. */
  completedAt: number
}

/** MailboxCommandResult as a producer writes it: what has a default may be left out. */
export interface MailboxCommandResultInput {
  /** The command's id. */
  id: string
  /** The command's account. */
  account: string
  /** The command's action. */
  action: MailboxAction
  /** PARTIAL: some of the messages are not there or could not be changed. NOT_FOUND: nothing matched. REJECTED: the command can't be carried out as it is. FAILED: it was tried. */
  status: CommandStatus
  /** Messages found. */
  matched: number
  /** Messages done. */
  changed: number
  /** Of MOVE, ARCHIVE and COPY. */
  moved?: MovedMessageInput[] | undefined
  /** Folder that holds or held the messages. */
  fromFolder: string
  /** Folder that they went to. */
  toFolder?: string | null | undefined
  /** Null when all went well. */
  error?: CommandError | null | undefined
  /** When this result was made. Milliseconds since the epoch. */
  completedAt: number
}

/** A single body of any content type. */
export interface SendBody {
  /** Media type with its parameters, such as text/xml; charset=utf-8. */
  contentType: string
  /** The body before transfer encoding. */
  content: Buffer
}

/** A file that goes with the mail. */
export interface SendAttachment {
  /** Null: a random name. */
  fileName: string | null
  /** Null: application/binary. */
  contentType: string | null
  /** What a cid: link in the HTML body names. */
  contentId: string | null
  /** INLINE: shown within the body. */
  disposition: Disposition
  /** The bytes themselves, or the object that holds them, in a bucket that the configuration allows to be read. */
  content: Buffer | ObjectRef
}

/** SendAttachment as a producer writes it: what has a default may be left out. */
export interface SendAttachmentInput {
  /** Null: a random name. */
  fileName?: string | null | undefined
  /** Null: application/binary. */
  contentType?: string | null | undefined
  /** What a cid: link in the HTML body names. */
  contentId?: string | null | undefined
  /** INLINE: shown within the body. */
  disposition?: Disposition | undefined
  /** The bytes themselves, or the object that holds them, in a bucket that the configuration allows to be read. */
  content: Buffer | ObjectRefInput
}

/** Importance shown to the reader. */
export type Priority = 'HIGH' | 'NORMAL' | 'LOW'

/** What to do when a connection was lost after the whole mail was written and before the server answered. */
export type DeliveryGuarantee = 'AT_LEAST_ONCE' | 'AT_MOST_ONCE' | 'VERIFY'

/** NOTIFY of RFC 3461 4.1. */
export type DsnNotify = 'NEVER' | 'SUCCESS' | 'FAILURE' | 'DELAY'

/** RET of RFC 3461 4.3. */
export type DsnReturn = 'FULL' | 'HEADERS'

/** Delivery status notifications asked of the server (RFC 3461). */
export interface DsnRequest {
  /** When to notify; NEVER stands alone. Empty: the server's own choice. */
  notify: DsnNotify[]
  /** How much of the mail a notification of failure brings back. */
  return: DsnReturn
}

/** DsnRequest as a producer writes it: what has a default may be left out. */
export interface DsnRequestInput {
  /** When to notify; NEVER stands alone. Empty: the server's own choice. */
  notify?: DsnNotify[] | undefined
  /** How much of the mail a notification of failure brings back. */
  return?: DsnReturn | undefined
}

/** One mail to be sent. Topic mail.send.requests; key: what must stay in order (the recipient, a thread, a tenant) or null. */
export interface SendRequest {
  /** The idempotency key, unique per logical mail: 1 to 255 characters without control characters. */
  id: string
  /** The configured account that sends it. */
  account: string
  /** RFC 5322 address, optionally with a display name. Null: the account's own. The account must allow it. */
  from: string | null
  /** RFC 5322 addresses, optionally with display names; an entry may be a list separated by ; or ,. At least one of to, cc and bcc must name somebody. */
  to: string[]
  /** Copies, written like to. */
  cc: string[]
  /** Blind copies, written like to; never in a header. */
  bcc: string[]
  /** Where answers go, written like to. */
  replyTo: string[]
  /** Plain text of any script. Null: no Subject field. */
  subject: string | null
  /** The plain text body. */
  text: string | null
  /** The HTML body; with text, an alternative to it. */
  html: string | null
  /** A body that is neither plain text nor HTML: XML, EDI, a calendar. */
  body: SendBody | null
  /** In the order in which they are to appear. */
  attachments: SendAttachment[]
  /** Extra header fields by name. */
  headers: Record<string, string>
  /** With its angle brackets. Null: derived from id, the same at every attempt. */
  messageId: string | null
  /** Message-ID that this mail answers, with its angle brackets. */
  inReplyTo: string | null
  /** Message-IDs of the thread, oldest first, with their angle brackets. */
  references: string[]
  /** Null: nothing is said about it. */
  priority: Priority | null
  /** Not to be sent before this time. Milliseconds since the epoch. */
  sendAt: number | null
  /** Not to be attempted from this time on. Milliseconds since the epoch. */
  expiresAt: number | null
  /** AT_LEAST_ONCE sends again, AT_MOST_ONCE reports INDETERMINATE, VERIFY looks into the account's folder of sent mail and then decides. */
  delivery: DeliveryGuarantee
  /** Null: nothing is asked. */
  dsn: DsnRequest | null
  /** IMAP folder of the account that gets a copy of the sent mail. */
  saveToFolder: string | null
  /** Returned in the result, never sent. */
  tags: Record<string, string>
}

/** SendRequest as a producer writes it: what has a default may be left out. */
export interface SendRequestInput {
  /** The idempotency key, unique per logical mail: 1 to 255 characters without control characters. */
  id: string
  /** The configured account that sends it. */
  account?: string | undefined
  /** RFC 5322 address, optionally with a display name. Null: the account's own. The account must allow it. */
  from?: string | null | undefined
  /** RFC 5322 addresses, optionally with display names; an entry may be a list separated by ; or ,. At least one of to, cc and bcc must name somebody. */
  to?: string[] | undefined
  /** Copies, written like to. */
  cc?: string[] | undefined
  /** Blind copies, written like to; never in a header. */
  bcc?: string[] | undefined
  /** Where answers go, written like to. */
  replyTo?: string[] | undefined
  /** Plain text of any script. Null: no Subject field. */
  subject?: string | null | undefined
  /** The plain text body. */
  text?: string | null | undefined
  /** The HTML body; with text, an alternative to it. */
  html?: string | null | undefined
  /** A body that is neither plain text nor HTML: XML, EDI, a calendar. */
  body?: SendBody | null | undefined
  /** In the order in which they are to appear. */
  attachments?: SendAttachmentInput[] | undefined
  /** Extra header fields by name. */
  headers?: Record<string, string> | undefined
  /** With its angle brackets. Null: derived from id, the same at every attempt. */
  messageId?: string | null | undefined
  /** Message-ID that this mail answers, with its angle brackets. */
  inReplyTo?: string | null | undefined
  /** Message-IDs of the thread, oldest first, with their angle brackets. */
  references?: string[] | undefined
  /** Null: nothing is said about it. */
  priority?: Priority | null | undefined
  /** Not to be sent before this time. Milliseconds since the epoch. */
  sendAt?: number | null | undefined
  /** Not to be attempted from this time on. Milliseconds since the epoch. */
  expiresAt?: number | null | undefined
  /** AT_LEAST_ONCE sends again, AT_MOST_ONCE reports INDETERMINATE, VERIFY looks into the account's folder of sent mail and then decides. */
  delivery?: DeliveryGuarantee | undefined
  /** Null: nothing is asked. */
  dsn?: DsnRequestInput | null | undefined
  /** IMAP folder of the account that gets a copy of the sent mail. */
  saveToFolder?: string | null | undefined
  /** Returned in the result, never sent. */
  tags?: Record<string, string> | undefined
}

/** Outcome of a request. */
export type SendStatus = 'DELIVERED' | 'PARTIAL' | 'DEFERRED' | 'REJECTED' | 'EXPIRED' | 'DUPLICATE' | 'INDETERMINATE'

/** Outcome for one recipient. */
export type RecipientStatus = 'ACCEPTED' | 'DEFERRED' | 'REJECTED'

/** What the server said of one recipient. */
export interface RecipientResult {
  /** Bare address. */
  address: string
  /** Where this recipient stands now. */
  status: RecipientStatus
  /** SMTP reply code, such as 250 or 550. */
  responseCode: number | null
  /** Enhanced status code (RFC 3463), such as 5.1.1. */
  enhancedCode: string | null
  /** The reply's text. */
  response: string | null
}

/** RecipientResult as a producer writes it: what has a default may be left out. */
export interface RecipientResultInput {
  /** Bare address. */
  address: string
  /** Where this recipient stands now. */
  status: RecipientStatus
  /** SMTP reply code, such as 250 or 550. */
  responseCode?: number | null | undefined
  /** Enhanced status code (RFC 3463), such as 5.1.1. */
  enhancedCode?: string | null | undefined
  /** The reply's text. */
  response?: string | null | undefined
}

/** Why it is not delivered. */
export interface SendError {
  /** Code of the closed list in docs/errors.md. */
  code: string
  /** One sentence for a person. */
  message: string
  /** Where in the flow it failed. */
  stage: string | null
}

/** SendError as a producer writes it: what has a default may be left out. */
export interface SendErrorInput {
  /** Code of the closed list in docs/errors.md. */
  code: string
  /** One sentence for a person. */
  message: string
  /** Where in the flow it failed. */
  stage?: string | null | undefined
}

/** What became of a SendRequest. Topic mail.send.results; key: the request id. Each accepted request gets exactly one result that is not DEFERRED. */
export interface SendResult {
  /** The request's id. */
  id: string
  /** The account that sent it or was to send it. */
  account: string
  /** Message-ID of the mail with its angle brackets; of a DUPLICATE, that of the original. */
  messageId: string
  /** DEFERRED: an attempt failed and another follows. All others are final. PARTIAL: some recipients accepted, some rejected. INDETERMINATE: the connection was lost after the whole mail was written. */
  status: SendStatus
  /** Every recipient of to, cc and bcc; empty where no recipient could be read. */
  recipients: RecipientResult[]
  /** The id that the server gave the mail, where its reply names one. */
  serverMessageId: string | null
  /** Number of this attempt from 1; 0 where none was made. */
  attempt: number
  /** Of DEFERRED: when it is tried again. Milliseconds since the epoch. */
  nextAttemptAt: number | null
  /** The last failure. Null when all went well. */
  error: SendError | null
  /** Kafka timestamp of the request. Milliseconds since the epoch. */
  requestedAt: number
  /** When this result was made. Milliseconds since the epoch. */
  completedAt: number
  /** The request's tags. */
  tags: Record<string, string>
  /** Topic of the request that this answers. */
  topic: string
  /** Partition of the request. */
  partition: number
  /** Offset of the request. */
  offset: number
}

/** SendResult as a producer writes it: what has a default may be left out. */
export interface SendResultInput {
  /** The request's id. */
  id: string
  /** The account that sent it or was to send it. */
  account: string
  /** Message-ID of the mail with its angle brackets; of a DUPLICATE, that of the original. */
  messageId: string
  /** DEFERRED: an attempt failed and another follows. All others are final. PARTIAL: some recipients accepted, some rejected. INDETERMINATE: the connection was lost after the whole mail was written. */
  status: SendStatus
  /** Every recipient of to, cc and bcc; empty where no recipient could be read. */
  recipients?: RecipientResultInput[] | undefined
  /** The id that the server gave the mail, where its reply names one. */
  serverMessageId?: string | null | undefined
  /** Number of this attempt from 1; 0 where none was made. */
  attempt: number
  /** Of DEFERRED: when it is tried again. Milliseconds since the epoch. */
  nextAttemptAt?: number | null | undefined
  /** The last failure. Null when all went well. */
  error?: SendErrorInput | null | undefined
  /** Kafka timestamp of the request. Milliseconds since the epoch. */
  requestedAt: number
  /** When this result was made. Milliseconds since the epoch. */
  completedAt: number
  /** The request's tags. */
  tags?: Record<string, string> | undefined
  /** Topic of the request that this answers. */
  topic: string
  /** Partition of the request. */
  partition: number
  /** Offset of the request. */
  offset: number
}

/** What each record decodes to. */
export interface RecordTypes {
  Checkpoint: Checkpoint
  InboundMessage: InboundMessage
  MailboxCommand: MailboxCommand
  MailboxCommandResult: MailboxCommandResult
  SendRequest: SendRequest
  SendResult: SendResult
}

/** What each record can be encoded from. */
export interface RecordInputs {
  Checkpoint: CheckpointInput
  InboundMessage: InboundMessageInput
  MailboxCommand: MailboxCommandInput
  MailboxCommandResult: MailboxCommandResultInput
  SendRequest: SendRequestInput
  SendResult: SendResultInput
}

export type RecordName = keyof RecordTypes

/** The records that are values of topics. */
export const recordNames = ['Checkpoint', 'InboundMessage', 'MailboxCommand', 'MailboxCommandResult', 'SendRequest', 'SendResult'] as const satisfies RecordName[]
