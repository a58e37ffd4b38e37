/**
 * The record headers of a received message (pure): the tracked properties of contract section 3.
 *
 * The names are fixed here and the values come from the mail, so a mail can't set another header. A value that is not
 * there gives no header, but a file name that is missing gives an empty one: the n-th `mail-file-name` and the n-th
 * `mail-content-type` belong to the n-th attachment.
 */
import type { InboundMessage } from '../avro/records.ts'
import { header, type RecordHeader } from '../kafka/records.ts'

/** Longest value in UTF-16 units; what is longer is cut. */
const maxValueLength = 1_000
/** Most values of one property, and their bytes together; the record's value has them all. */
const maxValues = 500
const maxBytes = 16 * 1024

/**
 * Controls and what reorders the text around it (a name that ends in U+202E `fdp.exe`) become spaces, so that a value is
 * what it looks like, on one line, wherever it is printed. A cut never splits a surrogate pair.
 */
const toHeaderValue = (text: string): string => {
  const clean = text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, ' ')
  return clean.length <= maxValueLength ? clean : clean.slice(0, maxValueLength).replace(/[\ud800-\udbff]$/, '')
}

const repeated = (name: string, values: readonly string[]): RecordHeader[] => {
  const headers: RecordHeader[] = []
  let bytes = 0
  for (const value of values.slice(0, maxValues)) {
    const next = header(name, toHeaderValue(value))
    bytes += next.value.length
    if (bytes > maxBytes) break
    headers.push(next)
  }
  return headers
}

const optional = (name: string, value: string | null | undefined): RecordHeader[] =>
  value === null || value === undefined ? [] : [header(name, toHeaderValue(value))]

export const buildTrackedProperties = (message: InboundMessage): RecordHeader[] => {
  const { attachments } = message
  const contentTypes = attachments.length === 0 ? [message.contentType] : attachments.map((one) => one.contentType)
  return [
    header('mail-attachments-count', attachments.length),
    ...repeated('mail-content-type', contentTypes),
    ...repeated(
      'mail-file-name',
      attachments.map(({ fileName }) => fileName ?? ''),
    ),
    ...optional('mail-from-address', message.from[0]?.address),
    header('mail-from-folder', toHeaderValue(message.folder)),
    ...optional('mail-message-id', message.messageId),
    header('mail-received-date', new Date(message.receivedAt).toISOString()),
    ...optional('mail-subject', message.subject),
    ...repeated(
      'mail-to-address',
      message.to.map(({ address }) => address),
    ),
    ...repeated(
      'mail-cc-address',
      message.cc.map(({ address }) => address),
    ),
    header('mail-account', toHeaderValue(message.account)),
    header('mail-dedupe-id', message.dedupeId),
    header('mail-kind', message.kind),
  ]
}
