/**
 * ISO-2022-JP (RFC 1468, RFC 2237) by way of EUC-JP, which has the same characters as bytes of their own. Unlike the
 * decoder of browsers it takes two escape sequences in a row, which joined encoded words have.
 */
import { isAscii, isUtf8 } from 'node:buffer'
import iconv from 'iconv-lite'

const escape = 0x1b
type CharacterSet = 'ascii' | 'kanji' | 'kanji2' | 'kana'

/** What each escape sequence selects, by its bytes as one number. */
const sets = new Map<number, CharacterSet>(
  (
    [
      ['(B', 'ascii'],
      ['(J', 'ascii'],
      ['(H', 'ascii'],
      ['(I', 'kana'],
      ['$@', 'kanji'],
      ['$B', 'kanji'],
      ['$(@', 'kanji'],
      ['$(B', 'kanji'],
      ['$(D', 'kanji2'],
    ] as const
  ).map(([sequence, set]) => [Buffer.from(sequence).readUIntBE(0, sequence.length), set]),
)

/** Lines with 8 bits that are judged each for itself; in a message with more of them the rest is EUC-JP. */
const maxJudged = 10_000

/**
 * Makes a decoder of lines that each begin in ASCII, as RFC 1468 has it. The charset has 7 bits; lines with 8 are
 * mislabelled UTF-8 or EUC-JP.
 */
export const iso2022JpDecoder = (): ((bytes: Buffer) => string) => {
  let judged = 0
  return (bytes) => {
    if (isAscii(bytes)) return decodeLines(bytes)
    let text = ''
    /** Where the lines begin that have not been decoded. */
    let open = 0
    for (let at = 0; at < bytes.length && judged < maxJudged; at++) {
      if ((bytes[at] as number) < 0x80) continue
      const start = bytes.lastIndexOf(0x0a, at) + 1
      const lineFeed = bytes.indexOf(0x0a, at)
      const end = lineFeed < 0 ? bytes.length : lineFeed + 1
      const line = bytes.subarray(start, end)
      judged++
      if (isUtf8(line)) {
        text += decodeLines(bytes.subarray(open, start)) + line.toString('utf8')
        open = end
      }
      at = end - 1
    }
    return text + decodeLines(bytes.subarray(open))
  }
}

const decodeLines = (bytes: Buffer): string => {
  const euc = Buffer.allocUnsafe(bytes.length * 2)
  let length = 0
  let set: CharacterSet = 'ascii'
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number
    if (byte === escape) {
      const two = ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0)
      const isThree = two === 0x2428
      const selected = sets.get(isThree ? (two << 8) | (bytes[at + 3] ?? 0) : two)
      if (selected !== undefined) {
        set = selected
        at += isThree ? 3 : 2
        continue
      }
    }
    if (byte === 0x0a || byte === 0x0d) set = 'ascii'
    if (set === 'ascii' || byte < 0x21 || byte > 0x7e) {
      euc[length++] = byte
    } else if (set === 'kana') {
      euc[length++] = 0x8e
      euc[length++] = byte | 0x80
    } else {
      if (set === 'kanji2') euc[length++] = 0x8f
      euc[length++] = byte | 0x80
      const next = bytes[at + 1] ?? 0
      if (next >= 0x21 && next <= 0x7e) {
        euc[length++] = next | 0x80
        at++
      }
    }
  }
  return iconv.decode(euc.subarray(0, length), 'euc-jp')
}
