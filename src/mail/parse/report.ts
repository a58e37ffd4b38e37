/**
 * The machine-readable parts of reports: delivery status (RFC 3464, RFC 6533), disposition notifications (RFC 8098,
 * RFC 9007) and feedback (RFC 5965). What they say is what the sender of the report claims, no more.
 */
import type { Report, ReportRecipient } from '../message.ts'
import { Base64Decoder } from './base64.ts'
import { decodeHeaderText, unfold } from './decode-words.ts'
import { DefectLog } from './defects.ts'
import { FieldIndex, splitHeader } from './header-fields.ts'
import { parseMessageId } from './message-ids.ts'

/** The first bytes of a part that a report may be made of. */
export interface CapturedPart {
  contentType: string
  content: Buffer
}

export type ReportKind = 'delivery-status' | 'disposition-notification' | 'feedback-report'

const reportKinds = new Map<string, ReportKind>([
  ['message/delivery-status', 'delivery-status'],
  ['message/global-delivery-status', 'delivery-status'],
  ['message/disposition-notification', 'disposition-notification'],
  ['message/global-disposition-notification', 'disposition-notification'],
  ['message/feedback-report', 'feedback-report'],
])

/** Parts that hold the original message or its header. */
const originals = new Set([
  'message/rfc822',
  'message/global',
  'text/rfc822-headers',
  'message/rfc822-headers',
  'message/global-headers',
])

export const reportKindOf = (contentType: string): ReportKind | null => reportKinds.get(contentType) ?? null

export const isOriginal = (contentType: string): boolean => originals.has(contentType)

const maxGroups = 10_000

/**
 * Groups of fields, with empty lines between them. What else stands there, some write prose, is no defect of the mail. Some
 * gateways encode the groups of the recipients, under a transfer encoding that the group in front of them names.
 */
const groupsOf = (content: Buffer): FieldIndex[] => {
  const ignored = new DefectLog()
  const groups: FieldIndex[] = []
  let isEncoded = false
  for (const block of blocksOf(content)) {
    if (isEncoded) {
      const decoder = new Base64Decoder(ignored)
      const decoded = Buffer.concat([decoder.write(Buffer.from(block, 'latin1')), decoder.end()])
      for (const inner of blocksOf(decoded)) groups.push(...fieldsOf(inner, ignored))
      isEncoded = false
      continue
    }
    const fields = fieldsOf(block, ignored)
    isEncoded = fields.some((each) => /^\s*base64\s*$/i.test(each.first('content-transfer-encoding') ?? ''))
    groups.push(...fields)
  }
  return groups
}

const blocksOf = (content: Buffer): string[] => content.toString('latin1').split(/\r?\n(?:[ \t]*\r?\n)+/, maxGroups)

const fieldsOf = (block: string, ignored: DefectLog): FieldIndex[] => {
  const { fields } = splitHeader(Buffer.from(block, 'latin1'), ignored)
  return fields.length > 0 ? [new FieldIndex(fields)] : []
}

const textOf = (fields: FieldIndex, key: string, defects: DefectLog): string | null => {
  const raw = fields.first(key)
  return raw === null ? null : decodeHeaderText(raw, defects) || null
}

/** `type; value` without its type (RFC 3464 2.1.2). */
const untyped = (fields: FieldIndex, key: string, defects: DefectLog): string | null => {
  const text = textOf(fields, key, defects)
  if (text === null) return null
  return text.replace(/^[ \t]*[A-Za-z0-9-]+[ \t]*;[ \t]*/, '').trim() || null
}

/** An address field; some senders put it in angle brackets. */
const addressOf = (fields: FieldIndex, key: string, defects: DefectLog): string | null =>
  untyped(fields, key, defects)?.replace(/^<(.*)>$/s, '$1') || null

const recipientOf = (fields: FieldIndex, defects: DefectLog): ReportRecipient => ({
  finalRecipient: addressOf(fields, 'final-recipient', defects),
  originalRecipient: addressOf(fields, 'original-recipient', defects),
  action: wordOf(fields, 'action'),
  status: wordOf(fields, 'status'),
  diagnostic: untyped(fields, 'diagnostic-code', defects),
  remoteMta: untyped(fields, 'remote-mta', defects),
})

/** The first word of a field; comments follow it in many reports. */
const wordOf = (fields: FieldIndex, key: string): string | null =>
  /^[^\s(;]+/.exec(unfold(fields.first(key) ?? ''))?.[0]?.toLowerCase() ?? null

const originalIdOf = (part: CapturedPart | undefined, defects: DefectLog): string | null => {
  if (part === undefined) return null
  const end = /\r?\n\r?\n/.exec(part.content.toString('latin1'))?.index ?? part.content.length
  const { fields } = splitHeader(part.content.subarray(0, end), defects)
  return parseMessageId(new FieldIndex(fields).first('message-id'), defects)
}

const isRecipient = (fields: FieldIndex): boolean =>
  fields.first('final-recipient') !== null ||
  fields.first('original-recipient') !== null ||
  fields.first('action') !== null

/** Reads the report out of the captured parts of a message; null where none of them is one. */
export const readReport = (parts: CapturedPart[], defects: DefectLog): { kind: ReportKind; report: Report } | null => {
  const kind = parts.map(({ contentType }) => reportKindOf(contentType)).find((each) => each !== null) ?? null
  if (kind === null) return null
  // Some senders write the fields into a second part of the type, after prose in the first.
  const groups = parts
    .filter(({ contentType }) => reportKindOf(contentType) === kind)
    .flatMap(({ content }) => groupsOf(content))
    .slice(0, maxGroups)
  const [first] = groups
  if (first === undefined) defects.add('report: its machine-readable part could not be read')
  const original = parts.find(({ contentType }) => isOriginal(contentType))
  const field = (key: string): string | null => (first === undefined ? null : textOf(first, key, defects))
  const recipients =
    kind === 'feedback-report'
      ? (first?.all('original-rcpt-to') ?? []).map((raw) => ({
          ...recipientOf(new FieldIndex([]), defects),
          originalRecipient: decodeHeaderText(raw, defects).replace(/^<(.*)>$/s, '$1') || null,
        }))
      : groups.filter(isRecipient).map((fields) => recipientOf(fields, defects))
  const named = first?.first('original-message-id') ?? first?.first('x-original-message-id') ?? null
  return {
    kind,
    report: {
      originalMessageId: parseMessageId(named, defects) ?? originalIdOf(original, defects),
      originalEnvelopeId: field('original-envelope-id'),
      reportingMta: first === undefined ? null : untyped(first, 'reporting-mta', defects),
      disposition: field('disposition'),
      feedbackType: field('feedback-type')?.toLowerCase() ?? null,
      recipients,
    },
  }
}
