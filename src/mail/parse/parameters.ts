/**
 * Structured values with parameters, `value; name=value; …` (RFC 2045 5.1, RFC 2183), with continuations and
 * charsets (RFC 2231) and the forms that mail programs really write: blanks in unquoted values, missing semicolons
 * and quotes, encoded words, sections out of order.
 */
import { findCharset, guessCharset, wellFormed } from './charset.ts'
import { decodeRaw, decodeWords, unfold } from './decode-words.ts'
import type { DefectLog } from './defects.ts'
import { nextIndexOf } from './next-index.ts'

export interface StructuredValue {
  /** What stands before the first parameter, in lower case, comments removed. */
  value: string
  /** Raw bytes as latin1; by name in lower case, with `*` suffixes. The first of several wins. */
  parameters: Map<string, string>
}

const knownNames =
  /[ \t]+(?=(?:charset|name|filename|boundary|format|delsp|type|method|report-type)(?:\*\d*\*?)?[ \t]*=)/gi

/** Removes comments that stand where one may stand: not in quotes, and in a value only after a blank. */
const stripComments = (text: string): string => {
  if (!text.includes('(')) return text
  let result = ''
  let depth = 0
  let opened = 0
  let quoted = false
  let inValue = false
  for (let at = 0; at < text.length; at++) {
    const char = text[at] as string
    if (char === '\\' && (quoted || depth > 0)) {
      if (depth === 0) result += text.slice(at, at + 2)
      at++
    } else if (depth === 0 && char === '"') {
      quoted = !quoted
      result += char
    } else if (quoted) {
      result += char
    } else if (char === '(' && (depth > 0 || !inValue || /[ \t]/.test(text[at - 1] ?? ' '))) {
      if (depth++ === 0) opened = result.length
    } else if (char === ')' && depth > 0) {
      depth--
    } else if (depth === 0) {
      if (char === '=') inValue = true
      if (char === ';') inValue = false
      result += char
    }
  }
  // An open parenthesis that is never closed is no comment: parameters may follow it.
  return depth === 0 || !text.includes(';', opened) ? result : text
}

/** Reads a quoted string at `at` (a quote); a backslash quotes the character after it (RFC 5322 3.2.1). */
const readQuoted = (text: string, at: number): { value: string; end: number; closed: boolean } => {
  let value = ''
  let from = at + 1
  for (let index = from; index < text.length; index++) {
    const char = text[index]
    if (char === '"') return { value: value + text.slice(from, index), end: index + 1, closed: true }
    if (char === '\\') {
      value += text.slice(from, index)
      from = ++index
    }
  }
  return { value: value + text.slice(from), end: text.length, closed: false }
}

export const parseStructured = (raw: string, defects: DefectLog): StructuredValue => {
  const text = stripComments(unfold(raw))
  const parameters = new Map<string, string>()
  // A value that begins with `=` is no `name=value`: some put an encoded word there.
  const head = /^(?:[^;=\s"]+|=[^;]*|"[^"\\;=]{1,100}")?/.exec(text)?.[0] ?? ''
  let value = head.startsWith('"') ? head.slice(1, -1) : head
  let at = head.length
  // `Content-Disposition: filename=x`: no value, the first thing is a parameter.
  if (/^[ \t]*=/.test(text.slice(at, at + 16))) {
    value = ''
    at = 0
    defects.add('parameter: malformed; read as far as it was clear')
  }
  const nextEquals = nextIndexOf(text, '=')
  const nextSemicolon = nextIndexOf(text, ';')
  while (at < text.length) {
    while (at < text.length && /[;\s]/.test(text[at] as string)) at++
    if (at >= text.length) break
    const equals = nextEquals(at)
    const semicolon = nextSemicolon(at)
    if (equals === Infinity) break
    if (semicolon < equals) {
      // A word without a value.
      at = semicolon
      continue
    }
    const name = text.slice(at, equals).trim().toLowerCase()
    at = equals + 1
    while (text[at] === ' ' || text[at] === '\t') at++
    let content: string
    if (text[at] === '"') {
      const quoted = readQuoted(text, at)
      content = quoted.value
      at = quoted.end
      if (!quoted.closed) defects.add('parameter: malformed; read as far as it was clear')
    } else {
      const next = text.indexOf(';', at)
      const end = next < 0 ? text.length : next
      content = text.slice(at, end)
      knownNames.lastIndex = 0
      const missing = knownNames.exec(content)
      if (missing !== null) {
        content = content.slice(0, missing.index)
        defects.add('parameter: malformed; read as far as it was clear')
      }
      at += content.length
      content = content.trim()
    }
    if (name !== '' && !parameters.has(name) && parameters.size < 1000) parameters.set(name, content)
  }
  return { value: value.trim().toLowerCase(), parameters }
}

interface Section {
  number: number
  encoded: boolean
  text: string
}

const sectionsOf = (name: string, parameters: Map<string, string>): Section[] => {
  const sections: Section[] = []
  for (const [key, text] of parameters) {
    if (!key.startsWith(`${name}*`)) continue
    const match = /^(\d{1,6})?(\*)?$/.exec(key.slice(name.length + 1))
    if (match === null) continue
    if (match[1] === undefined) return [{ number: 0, encoded: true, text }]
    sections.push({ number: Number(match[1]), encoded: match[2] !== undefined, text })
  }
  return sections.sort((a, b) => a.number - b.number)
}

const percentDecode = (text: string): string =>
  text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))

/** One parameter decoded (RFC 2231; else encoded words, which RFC 2047 5 forbids there and many send); null if absent. */
export const decodeParameter = (
  name: string,
  { parameters }: StructuredValue,
  maxLength: number,
  defects: DefectLog,
): string | null => {
  const sections = sectionsOf(name, parameters)
  const text = sections.length > 0 ? decodeSections(sections, defects) : decodePlain(parameters.get(name), defects)
  if (text === null || text.length <= maxLength) return text
  defects.add('parameter: longer than the bound; it was cut')
  return wellFormed(text.slice(0, maxLength))
}

const decodePlain = (text: string | undefined, defects: DefectLog): string | null => {
  if (text === undefined) return null
  if (!text.includes('=?')) return decodeRaw(text, defects)
  defects.add('encoded word: in a parameter, where none may be; decoded')
  return decodeWords(text, defects)
}

const decodeSections = (sections: Section[], defects: DefectLog): string => {
  const [first] = sections
  if (!sections.some((section) => section.encoded)) {
    return decodePlain(sections.map((section) => section.text).join(''), defects) ?? ''
  }
  const prefix = first?.encoded === true ? /^([^']*)'[^']*'/.exec(first.text) : null
  if (prefix === null) {
    defects.add('parameter: malformed; read as far as it was clear')
    const plain = sections.map((section) => section.text).join('')
    // The name says RFC 2231, the value is an encoded word.
    if (plain.includes('=?')) return decodePlain(plain, defects) ?? ''
  }
  const bytes = Buffer.from(
    sections
      .map(({ encoded, text }, index) => {
        const own = index === 0 && prefix !== null ? text.slice(prefix[0].length) : text
        return encoded ? percentDecode(own) : own
      })
      .join(''),
    'latin1',
  )
  const label = prefix?.[1] ?? ''
  const charset = findCharset(label)
  if (charset === null) defects.add('parameter: unknown charset; read as UTF-8 or windows-1252')
  return (charset === null || charset === 'undeclared' ? guessCharset(bytes) : charset).decode(bytes)
}
