/**
 * Charsets: labels as mail uses them, to decoders that work on a whole buffer or on a stream of chunks, with the same
 * result. A label of a standard that Windows extends means the extension, as in browsers (WHATWG Encoding, 4.2):
 * mail that says iso-8859-1 is windows-1252.
 */
import { isUtf8 } from 'node:buffer'
import iconv from 'iconv-lite'
import { iso2022JpDecoder } from './iso-2022-jp.ts'
import { decodeHz, decodeIso2022Kr } from './shift-charsets.ts'
import { decodeUtf7 } from './utf-7.ts'

export interface CharsetDecoder {
  write(chunk: Buffer): string
  end(): string
}

export interface Charset {
  name: string
  /** Characters have two bytes or four, line breaks too; decoded text never ends within a line break. */
  isWide: boolean
  decode(bytes: Buffer): string
  open(): CharsetDecoder
}

/** Code points of the bytes 0x80 to 0x9F in windows-1252. */
const windows1252High = [
  0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030, 0x160, 0x2039, 0x152, 0x8d, 0x17d, 0x8f,
  0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0x9d, 0x17e, 0x178,
].map((code) => String.fromCharCode(code))

const decodeWindows1252 = (bytes: Buffer): string =>
  bytes.toString('latin1').replace(/[\x80-\x9f]/g, (char) => windows1252High[char.charCodeAt(0) - 0x80] ?? char)

export const windows1252: Charset = {
  name: 'windows-1252',
  isWide: false,
  decode: decodeWindows1252,
  open: () => ({ write: decodeWindows1252, end: () => '' }),
}

const newUtf8Decoder = () => new TextDecoder('utf-8', { ignoreBOM: true })

export const utf8: Charset = {
  name: 'utf-8',
  isWide: false,
  decode: (bytes) => (isUtf8(bytes) ? bytes.toString('utf8') : newUtf8Decoder().decode(bytes)),
  open: () => {
    const decoder = newUtf8Decoder()
    return { write: (chunk) => decoder.decode(chunk, { stream: true }), end: () => decoder.decode() }
  },
}

/** iconv-lite can yield lone surrogates, which no UTF-8 string has. */
export const wellFormed = (text: string): string =>
  /[\ud800-\udfff]/.test(text) ? Buffer.from(text, 'utf8').toString('utf8') : text

const decodeIconv = (bytes: Buffer, name: string): string => wellFormed(iconv.decode(bytes, name, { stripBOM: false }))

/** Bytes of a line that are held; a longer one is decoded in pieces, so that memory is bounded. */
const maxLineBytes = 1024 * 1024

/** Where to cut bytes of a line: behind its last blank, which is no part of a character, or else at the end. */
const cutOf = (bytes: Buffer): number => {
  for (let at = bytes.length - 1; at > bytes.length / 2; at--) if ((bytes[at] as number) <= 0x20) return at + 1
  return bytes.length
}

/**
 * Decodes whole lines. A line feed ends every sequence of these charsets, also a broken one, so the result is that of
 * decoding all at once; the streaming decoders of iconv-lite differ in that on broken input.
 */
const lineDecoder = (decode: (bytes: Buffer) => string): CharsetDecoder => {
  let held: Buffer[] = []
  let heldBytes = 0
  return {
    write: (chunk) => {
      held.push(chunk)
      heldBytes += chunk.length
      if (heldBytes <= maxLineBytes && !chunk.includes(10)) return ''
      const bytes = Buffer.concat(held)
      let text = ''
      let from = 0
      let line = heldBytes <= maxLineBytes ? bytes.lastIndexOf(10) + 1 : 0
      for (;;) {
        const lineFeed = bytes.indexOf(10, line)
        const end = lineFeed < 0 ? bytes.length : lineFeed + 1
        if (end - line > maxLineBytes) {
          line += cutOf(bytes.subarray(line, line + maxLineBytes))
          text += decode(bytes.subarray(from, line))
          from = line
        } else if (lineFeed < 0) {
          break
        } else {
          line = end
        }
      }
      if (line > from) text += decode(bytes.subarray(from, line))
      held = [bytes.subarray(line)]
      heldBytes = bytes.length - line
      return text
    },
    end: () => {
      const text = decode(Buffer.concat(held))
      held = []
      return text
    },
  }
}

const decodeAll = (decoder: CharsetDecoder, bytes: Buffer): string => decoder.write(bytes) + decoder.end()

/** `newDecode` makes what decodes the lines of one text, in order. */
const lineCharset = (name: string, newDecode: () => (bytes: Buffer) => string): Charset => ({
  name,
  isWide: false,
  decode: (bytes) => decodeAll(lineDecoder(newDecode()), bytes),
  open: () => lineDecoder(newDecode()),
})

const iconvCharset = (name: string): Charset => lineCharset(name, () => (bytes) => decodeIconv(bytes, name))

/** What iconv-lite has not, or not in linear time. */
const own = new Map(
  [
    lineCharset('iso-2022-jp', iso2022JpDecoder),
    lineCharset('iso-2022-kr', () => decodeIso2022Kr),
    lineCharset('hz-gb-2312', () => decodeHz),
    lineCharset('utf-7', () => (bytes) => wellFormed(decodeUtf7(bytes))),
  ].map((charset) => [charset.name, charset]),
)

/** Bytes by which the byte order is found where the label does not say it. */
const orderBytes = 256

/** UTF-16 and UTF-32 in either byte order. The byte order mark is no part of the text. */
const wideDecoder = (name: string): CharsetDecoder => {
  const decoder = iconv.getDecoder(name, { stripBOM: false })
  let first: Buffer[] | null = []
  let open = ''
  let isStart = true
  /** Half a character and half a line break wait for what follows. */
  const emit = (decoded: string): string => {
    const text = open + (isStart ? decoded.replace(/^\ufeff/, '') : decoded)
    isStart &&= decoded === ''
    open = /[\ud800-\udbff\r]$/.exec(text)?.[0] ?? ''
    return wellFormed(text.slice(0, text.length - open.length))
  }
  const begin = (): string => {
    const bytes = Buffer.concat(first ?? [])
    first = null
    return emit(decoder.write(bytes))
  }
  return {
    write: (chunk) => {
      if (first === null) return emit(decoder.write(chunk))
      first.push(chunk)
      return first.reduce((total, { length }) => total + length, 0) < orderBytes ? '' : begin()
    },
    end: () => {
      const text = (first === null ? '' : begin()) + emit(decoder.end() ?? '')
      return text + wellFormed(open)
    },
  }
}

const wideCharset = (name: string): Charset => ({
  name,
  isWide: true,
  decode: (bytes) => decodeAll(wideDecoder(name), bytes),
  open: () => wideDecoder(name),
})

/** Spellings, without case and punctuation, of what iconv-lite does not know or reads in a narrower sense. */
const aliases = new Map<string, string>([
  ...['utf8', 'unicode11utf8', 'unicode20utf8', 'xunicode20utf8', 'utf8mb4', 'cp65001'].map(
    (l) => [l, 'utf-8'] as const,
  ),
  ...['iso88591', 'latin1', 'l1', 'cp1252', 'windows1252', 'xcp1252', 'ibm819', 'cp819', 'isoir100', 'csisolatin1'].map(
    (l) => [l, 'windows-1252'] as const,
  ),
  ['iso885911987', 'windows-1252'],
  ['iso88599', 'windows-1254'],
  ['latin5', 'windows-1254'],
  ['iso885991989', 'windows-1254'],
  ['iso885911', 'windows-874'],
  ['tis620', 'windows-874'],
  ['iso88598i', 'iso-8859-8'],
  ['iso88598e', 'iso-8859-8'],
  ['iso88596i', 'iso-8859-6'],
  ['iso88596e', 'iso-8859-6'],
  ['gb2312', 'gbk'],
  ['gb231280', 'gbk'],
  ['xgbk', 'gbk'],
  ['ksc56011987', 'cp949'],
  ['ksc5601', 'cp949'],
  ['ksc56011989', 'cp949'],
  ['euckr', 'cp949'],
  ['windows949', 'cp949'],
  ['xwindows949', 'cp949'],
  ['sjis', 'shift_jis'],
  ['xsjis', 'shift_jis'],
  ['shiftjis', 'shift_jis'],
  ['windows31j', 'shift_jis'],
  ['cp932', 'shift_jis'],
  ['xeucjp', 'euc-jp'],
  ['iso2022jp', 'iso-2022-jp'],
  ['iso2022jp1', 'iso-2022-jp'],
  ['iso2022jp2', 'iso-2022-jp'],
  ['iso2022jp3', 'iso-2022-jp'],
  ['iso2022jpms', 'iso-2022-jp'],
  ['csiso2022jp', 'iso-2022-jp'],
  ['cp50220', 'iso-2022-jp'],
  ['iso2022kr', 'iso-2022-kr'],
  ['csiso2022kr', 'iso-2022-kr'],
  ['hz', 'hz-gb-2312'],
  ['hzgb', 'hz-gb-2312'],
  ['hzgb2312', 'hz-gb-2312'],
  ['cp50221', 'iso-2022-jp'],
  ['big5hkscs', 'big5-hkscs'],
  ['xxbig5', 'big5'],
  ['mac', 'macintosh'],
  ['xmaccyrillic', 'maccyrillic'],
  ['xmacgreek', 'macgreek'],
  ['xmacturkish', 'macturkish'],
  ['xmacce', 'maccenteuro'],
  ['xmacukrainian', 'macukraine'],
  ['xmacroman', 'macintosh'],
  ['macintosh', 'macintosh'],
  ['utf7', 'utf-7'],
  ['unicode11utf7', 'utf-7'],
  ['xunicode11utf7', 'utf-7'],
  ['csunicode11utf7', 'utf-7'],
])

/** Labels under which undeclared rules apply: they say no more than "text". */
const asciiLabels = new Set([
  '',
  'ascii',
  'usascii',
  'ansix341968',
  'iso646us',
  'us',
  '7bit',
  '8bit',
  'default',
  'unknown',
])

/** Encodings of iconv-lite that are no charsets. */
const notCharsets = new Set(['base64', 'hex', 'binary', 'internal'])

const squeeze = (label: string): string => label.toLowerCase().replace(/[^a-z0-9]/g, '')

const known = new Map<string, Charset | null>()

/** As `iconv.encodingExists`, which throws and catches for each name that is none: too slow for mail that has thousands. */
const isEncoding = (name: string): boolean => {
  // The table is there after the first question.
  if (iconv.encodings === null) iconv.encodingExists('utf8')
  return Object.hasOwn(iconv.encodings ?? {}, name.toLowerCase().replace(/:\d{4}$|[^0-9a-z]/g, ''))
}

const resolve = (label: string): Charset | null => {
  const key = squeeze(label)
  const name = aliases.get(key) ?? label.toLowerCase().replace(/[^a-z0-9._:-]/g, '')
  if (name === 'utf-8') return utf8
  if (name === 'windows-1252') return windows1252
  const written = own.get(name)
  if (written !== undefined) return written
  if (notCharsets.has(key)) return null
  if (/^(?:x-?)?(?:utf|ucs)-?(?:16|32|2|4)/.test(name)) return isEncoding(name) ? wideCharset(name) : null
  if (isEncoding(name)) return iconvCharset(name)
  const codePage = /^(?:x?cp|ibm|ms|win|windows|xwindows)(\d{3,5})$/.exec(key)?.[1]
  if (codePage === undefined) return null
  return codePage === '1252' ? windows1252 : isEncoding(`cp${codePage}`) ? iconvCharset(`cp${codePage}`) : null
}

/** The charset of a label; null when it is unknown. `'undeclared'` for US-ASCII and labels that say nothing. */
export const findCharset = (label: string): Charset | null | 'undeclared' => {
  if (asciiLabels.has(squeeze(label))) return 'undeclared'
  if (label.length > 64) return null
  const cached = known.get(label)
  if (cached !== undefined) return cached
  const charset = resolve(label)
  if (known.size < 500) known.set(label, charset)
  return charset
}

/** UTF-8 in which a few bytes are broken or cut off: windows-1252 has hardly ever what looks like it. */
const isMostlyUtf8 = (bytes: Buffer): boolean => {
  const text = bytes.toString('utf8')
  const broken = text.split('\ufffd').length - 1
  return (text.match(/[^\0-\x7f\ufffd]/g)?.length ?? 0) >= 4 * broken
}

/** What bytes are most likely in, of which nobody says it: UTF-8 where they can be that, all else windows-1252. */
export const guessCharset = (bytes: Buffer): Charset => (isUtf8(bytes) || isMostlyUtf8(bytes) ? utf8 : windows1252)
