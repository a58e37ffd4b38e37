/**
 * Header blocks: raw bytes to fields in their order (RFC 5322 2.2 and 4.5). Values stay raw, folds included, one
 * latin1 character for each byte: each field is decoded by the grammar that it has.
 */
import type { DefectLog } from './defects.ts'

export interface RawField {
  name: string
  /** In lower case. */
  key: string
  raw: string
}

export interface RawHeader {
  fields: RawField[]
  /** Offset in the block at which the body begins without an empty line before it; -1 where it does not. */
  bodyAt: number
}

const fieldName = /^[\x21-\x39\x3b-\x7e]+$/
/** What other readers take as one as well: with blanks or 8-bit bytes in it. */
const looseFieldName = /^[\x21-\x39\x3b-\x7e\x80-\xff][\t\x20-\x39\x3b-\x7e\x80-\xff]*$/

const isBlank = (code: number): boolean => code === 32 || code === 9

/**
 * Splits a block, which ends before its empty line.
 *
 * A line that is neither a field nor a continuation is left out, as mail readers do; one whose name has blanks is kept.
 * Where it is text in words without a colon, or a delimiter, and no field follows, the sender forgot the empty line and
 * the body begins there, or with the lines in front of it whose names have blanks.
 */
export const splitHeader = (block: Buffer, defects: DefectLog): RawHeader => {
  const text = block.toString('latin1')
  const fields: RawField[] = []
  /** Lines since the last field that would be fields if blanks were allowed in names, and where the first of them is. */
  let loose: RawField[] = []
  let looseAt = -1
  let junkAt = -1
  let isJunk = false
  let isLastJunk = false
  const keepLoose = (): void => {
    if (loose.length > 0) defects.add('header: a field name with blanks in it was kept as written')
    for (const field of loose) fields.push(field)
    loose = []
    looseAt = -1
  }
  let at = 0
  while (at < text.length) {
    let lineEnd = text.indexOf('\n', at)
    if (lineEnd < 0) lineEnd = text.length
    // The first line continues nothing: blanks in front of it are strays.
    if (at === 0) while (at < lineEnd && isBlank(text.charCodeAt(at))) at++
    const line = text.slice(at, lineEnd)
    const colon = colonIn(text, at, line)
    const name = colon > 0 ? text.slice(at, at + colon) : ''
    const trimmed = name.trimEnd()
    const isField = fieldName.test(trimmed)
    // Continuation lines belong to what they follow, be it a field or junk.
    while (lineEnd < text.length && isBlank(text.charCodeAt(lineEnd + 1))) {
      const next = text.indexOf('\n', lineEnd + 1)
      lineEnd = next < 0 ? text.length : next
    }
    if (isField) {
      if (trimmed !== name) defects.add('header: space before the colon was ignored')
      keepLoose()
      isJunk ||= isLastJunk
      isLastJunk = false
      junkAt = -1
      fields.push({ name: trimmed, key: trimmed.toLowerCase(), raw: text.slice(at + colon + 1, lineEnd) })
    } else if (!isEnvelopeLine(line, at)) {
      const isLoose = looseFieldName.test(trimmed) && !line.startsWith('--')
      if (isLoose) {
        loose.push({ name: trimmed, key: trimmed.toLowerCase(), raw: text.slice(at + colon + 1, lineEnd) })
        if (looseAt < 0) looseAt = at
      } else if (junkAt < 0 && isBodyLine(line)) {
        junkAt = looseAt < 0 ? at : looseAt
      }
      isLastJunk ||= !isLoose
    }
    at = lineEnd + 1
  }
  if (junkAt < 0) keepLoose()
  if (isJunk || (isLastJunk && junkAt < 0)) defects.add('header: a line that is no field was left out')
  if (junkAt >= 0) {
    defects.add('header: no empty line before the body; the body was taken to begin at the first line that is no field')
  }
  return { fields, bodyAt: junkAt }
}

/** Where the colon after the name of a field is, from `at`; obsolete syntax lets it stand behind a fold (RFC 5322 4.5). */
const colonIn = (text: string, at: number, line: string): number => {
  const colon = line.indexOf(':')
  if (colon >= 0 || !fieldName.test(line.trimEnd())) return colon
  const folded = /^\n[ \t]+:/.exec(text.slice(at + line.length, at + line.length + 100))?.[0]
  return folded === undefined ? -1 : line.length + folded.length - 1
}

/**
 * Words, or a delimiter; a single word is what is left of a field that was folded wrongly, and a colon in front of a field
 * that lost its name.
 */
const isBodyLine = (line: string): boolean =>
  line.startsWith('--') || (!line.startsWith(': ') && /\S[ \t]+\S/.test(line))

/** The line that separates messages in an mbox file, left in front of the first field. */
const isEnvelopeLine = (line: string, at: number): boolean => at === 0 && /^>?From /.test(line)

/** Header fields by name, with first and all. */
export class FieldIndex {
  readonly #byKey = new Map<string, string[]>()

  constructor(fields: RawField[]) {
    for (const { key, raw } of fields) {
      const values = this.#byKey.get(key)
      if (values === undefined) this.#byKey.set(key, [raw])
      else values.push(raw)
    }
  }

  first(key: string): string | null {
    return this.#byKey.get(key)?.[0] ?? null
  }

  all(key: string): string[] {
    return this.#byKey.get(key) ?? []
  }
}
