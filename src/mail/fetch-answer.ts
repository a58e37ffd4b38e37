/**
 * Answers to FETCH as servers usually write them (pure): `* 1 FETCH (UID 7 FLAGS (\Seen) BODY[] {1234}` and so on, line
 * by line, a line ending where a literal begins (RFC 9051 7.5.2, RFC 8474 4, Gmail's X-GM-EXT-1). It is exact about what it
 * takes and takes by no means all that is legal: whatever is written in another way is left to a complete parser.
 */

/** What an answer told; absent: it did not tell. */
export interface FetchAnswer {
  uid?: number | undefined
  size?: number | undefined
  flags?: Iterable<string> | undefined
  internalDate?: Date | string | undefined
  emailId?: string | undefined
  threadId?: string | undefined
  /** The header fields that were asked for. */
  headers?: Buffer | undefined
  /** The whole message. */
  source?: Buffer | undefined
}

export type LiteralName = 'headers' | 'source'

export type LineMeaning =
  /** The answer is complete. */
  | { kind: 'end' }
  /** So many bytes follow, then the next line. */
  | { kind: 'literal'; name: LiteralName; bytes: number }
  | { kind: 'foreign' }

const foreign: LineMeaning = { kind: 'foreign' }
const end: LineMeaning = { kind: 'end' }

const opening = /\* \d{1,10} FETCH \(/iy
// No quote, no bracket, nothing beyond ASCII: such flags are left to the complete parser.
const flag = String.raw`\\?[A-Za-z0-9$_.:+#@&/=!|~^;,<>-]+`
const items = [
  String.raw`(UID|RFC822\.SIZE) (\d{1,10})`,
  String.raw`(FLAGS) \(((?:${flag}(?: ${flag})*)?)\)`,
  String.raw`(INTERNALDATE) "([^"\\\x80-\xff]{1,40})"`,
  String.raw`(EMAILID|THREADID) \(([A-Za-z0-9_-]{1,255})\)`,
  String.raw`(THREADID) (NIL)`,
  String.raw`(X-GM-MSGID|X-GM-THRID) (\d{1,20})`,
  String.raw`(MODSEQ) \((\d{1,19})\)`,
  String.raw`(BODY)\[(|HEADER\.FIELDS \([A-Za-z" -]{1,200}\))\] \{(\d{1,8})\}$`,
]
const item = new RegExp(items.join('|'), 'iy')

const isNil = (word: string): boolean => word.toUpperCase() === 'NIL'

/** @returns false where the value means something else than it says */
const keep = (name: string, value: string, into: FetchAnswer): boolean => {
  switch (name) {
    case 'UID':
      into.uid = Number(value)
      return true
    case 'RFC822.SIZE':
      into.size = Number(value)
      return true
    case 'FLAGS': {
      const flags = value === '' ? [] : value.split(' ')
      into.flags = new Set(flags)
      return !flags.some(isNil)
    }
    case 'INTERNALDATE':
      into.internalDate = value
      return true
    case 'EMAILID':
    case 'X-GM-MSGID':
      into.emailId = value
      return !isNil(value)
    case 'THREADID':
    case 'X-GM-THRID':
      // RFC 8474 5.2: NIL where the server knows of no thread.
      if (!isNil(value)) into.threadId = value
      return true
    default:
      return true
  }
}

/**
 * Reads one line of an answer.
 *
 * @param line without its line break; latin1
 * @param isFirst whether the answer begins here; else a literal has ended in front of it
 * @param into gets what the line tells
 */
export const readFetchLine = (line: string, isFirst: boolean, into: FetchAnswer): LineMeaning => {
  let at = 0
  if (isFirst) {
    opening.lastIndex = 0
    if (!opening.test(line)) return foreign
    at = opening.lastIndex
  } else if (line.startsWith(' ')) at = 1
  else return line === ')' ? end : foreign
  for (;;) {
    item.lastIndex = at
    const found = item.exec(line)
    if (found === null) return foreign
    const [, ...groups] = found
    const first = groups.findIndex((group) => group !== undefined)
    const name = (groups[first] ?? '').toUpperCase()
    const value = groups[first + 1] ?? ''
    if (name === 'BODY') {
      const literal = value === '' ? 'source' : 'headers'
      // Told again and again, they would be held without end.
      if (into[literal] !== undefined) return foreign
      return { kind: 'literal', name: literal, bytes: Number(groups[first + 2]) }
    }
    if (!keep(name, value, into)) return foreign
    at = item.lastIndex
    if (line[at] === ')') return at + 1 === line.length ? end : foreign
    if (line[at] !== ' ') return foreign
    at += 1
  }
}
