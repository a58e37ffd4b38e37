/**
 * What the header of a part says about its content (RFC 2045, RFC 2183), with the defaults where it says nothing. The
 * content type is the mail's own word: it is never guessed from a file name.
 */
import { decodeRaw, unfold } from './decode-words.ts'
import type { DefectLog } from './defects.ts'
import type { FieldIndex } from './header-fields.ts'
import type { TransferEncoding } from './content.ts'
import { decodeParameter, parseStructured, type StructuredValue } from './parameters.ts'

export interface PartHead {
  /** `type/subtype` in lower case. */
  contentType: string
  charset: string | null
  boundary: string | null
  encoding: TransferEncoding
  /** 'OTHER' for a value that is neither; RFC 2183 2.8: like ATTACHMENT. */
  disposition: 'ATTACHMENT' | 'INLINE' | 'OTHER' | null
  fileName: string | null
  contentId: string | null
  /** Of text/calendar (RFC 6047 2.4), in upper case. */
  calendarMethod: string | null
  /** Of application/pkcs7-mime (RFC 8551 3.2.2), in lower case. */
  smimeType: string | null
}

/** More than RFC 2045 5.1 allows: what has the form of a type is what the mail says. */
const typePattern = /^[^\s/;,"]+\/[^\s;,"]+$/

const namePattern = /^[\w.+-]+$/

const contentTypeOf = (
  raw: string | null,
  value: string,
  parentSubtype: string | null,
  isFile: boolean,
  defects: DefectLog,
): string => {
  if (raw === null || unfold(raw) === '') return parentSubtype === 'digest' ? 'message/rfc822' : 'text/plain'
  if (typePattern.test(value)) return value
  defects.add('content type: malformed; read as text/plain where it may be text, else as it is')
  // RFC 2045 5.2: what can't be parsed is text/plain. That is kept to what may be text: not to a file, nor to one part
  // of several with a name for its type.
  const isName = parentSubtype !== null && namePattern.test(value)
  const mayBeText = value === '' || value.startsWith('text') || !(isFile || isName)
  return mayBeText ? 'text/plain' : value
}

const encodingOf = (raw: string | null, defects: DefectLog): TransferEncoding => {
  const value = unfold(raw ?? '')
    .replace(/\([^)]*\)?/g, '')
    .trim()
    .toLowerCase()
    .replace(/;.*$/s, '')
    .trimEnd()
  if (value === 'base64' || value === 'quoted-printable') return value
  if (/^(?:x-)?uue(?:ncode)?$/.test(value)) return 'uuencode'
  if (!['', '7bit', '8bit', 'binary'].includes(value)) {
    defects.add('content transfer encoding: unknown; content taken as it is')
  }
  return 'identity'
}

const dispositionOf = (value: StructuredValue | null): PartHead['disposition'] => {
  if (value === null || value.value === '') return null
  if (value.value === 'inline') return 'INLINE'
  return value.value === 'attachment' ? 'ATTACHMENT' : 'OTHER'
}

const contentIdOf = (raw: string | null, defects: DefectLog): string | null => {
  const id = decodeRaw(unfold(raw ?? ''), defects).replace(/^[<\s]+|[>\s]+$/g, '')
  return id === '' ? null : `<${id}>`
}

/** `parentSubtype` is that of the multipart around it, null for the message itself. */
export const readPartHead = (
  fields: FieldIndex,
  parentSubtype: string | null,
  maxValueLength: number,
  defects: DefectLog,
): PartHead => {
  const rawType = fields.first('content-type')
  const type = parseStructured(rawType ?? '', defects)
  const rawDisposition = fields.first('content-disposition')
  const disposition = rawDisposition === null ? null : parseStructured(rawDisposition, defects)
  const parameter = (name: string): string | null => decodeParameter(name, type, maxValueLength, defects)
  const fileName =
    (disposition === null ? null : decodeParameter('filename', disposition, maxValueLength, defects)) ||
    parameter('name')
  const encoding = encodingOf(fields.first('content-transfer-encoding'), defects)
  const isFile = Boolean(fileName) || encoding === 'base64' || disposition?.value === 'attachment'
  const contentType = contentTypeOf(rawType, type.value, parentSubtype, isFile, defects)
  const isMultipart = contentType.startsWith('multipart/')
  return {
    contentType,
    charset: contentType.startsWith('text/') ? parameter('charset') : null,
    // As the bytes that its lines have, not as characters.
    boundary: isMultipart ? (type.parameters.get('boundary') ?? parameter('boundary'))?.trimEnd() || null : null,
    encoding,
    disposition: dispositionOf(disposition),
    fileName: fileName || null,
    contentId: contentIdOf(fields.first('content-id'), defects),
    calendarMethod: contentType === 'text/calendar' ? (parameter('method')?.trim().toUpperCase() ?? null) : null,
    smimeType: contentType.endsWith('pkcs7-mime') ? (parameter('smime-type')?.trim().toLowerCase() ?? null) : null,
  }
}
