/** The record of a received message (pure). */
import type { InboundAttachment, InboundMessage, ObjectRef } from '../avro/records.ts'
import { header, type OutgoingRecord, type RecordHeader } from '../kafka/records.ts'
import type { ParsedMessage } from '../mail/message.ts'
import { buildDedupeId } from './dedupe-id.ts'
import { matchReport } from './match-report.ts'
import { buildTrackedProperties } from './tracked-properties.ts'

/** What the IMAP server says of a message. */
export interface ServerFacts {
  account: string
  folder: string
  uidValidity: number
  uid: number
  emailId: string | null
  threadId: string | null
  /** INTERNALDATE, milliseconds since the epoch. */
  receivedAt: number
  size: number
  flags: readonly string[]
}

/** What was stored of it. */
export interface StoredParts {
  attachments: InboundAttachment[]
  raw: ObjectRef | null
  /** Bodies that were too big to travel in the record. */
  text?: ObjectRef
  html?: ObjectRef
}

/** @param accounts all that are configured: a report may be about a mail of any of them */
export const buildInboundMessage = (
  facts: ServerFacts,
  parsed: ParsedMessage,
  stored: StoredParts,
  accounts: readonly string[],
): InboundMessage => ({
  dedupeId: buildDedupeId(facts.account, facts.folder, facts.uidValidity, facts.uid),
  account: facts.account,
  folder: facts.folder,
  uidValidity: facts.uidValidity,
  uid: facts.uid,
  emailId: facts.emailId,
  threadId: facts.threadId,
  messageId: parsed.messageId,
  inReplyTo: parsed.inReplyTo,
  references: parsed.references,
  subject: parsed.subject,
  from: parsed.from,
  sender: parsed.sender,
  replyTo: parsed.replyTo,
  to: parsed.to,
  cc: parsed.cc,
  bcc: parsed.bcc,
  date: parsed.date,
  receivedAt: facts.receivedAt,
  size: facts.size,
  flags: [...facts.flags],
  contentType: parsed.contentType,
  headers: parsed.headers,
  text: stored.text ?? parsed.text,
  html: stored.html ?? parsed.html,
  attachments: stored.attachments,
  raw: stored.raw,
  kind: parsed.kind,
  report: matchReport(parsed.report, accounts),
  protection: parsed.protection,
  defects: parsed.defects,
})

/** `value`: the message, encoded. `redelivery`: headers of the command that asked for it again. */
export const buildInboundRecord = (
  topic: string,
  message: InboundMessage,
  value: Buffer,
  redelivery: readonly RecordHeader[] | null = null,
): OutgoingRecord => ({
  topic,
  key: message.dedupeId,
  value,
  headers: [
    ...buildTrackedProperties(message),
    ...(redelivery === null ? [] : [header('mail-redelivered', 'true'), ...redelivery]),
  ],
})
