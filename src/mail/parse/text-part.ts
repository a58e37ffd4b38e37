/**
 * One text part on its way into a body: bytes → characters in the part's charset → unfolded paragraphs where it is
 * format=flowed → line breaks as `\n`. The result does not depend on how the bytes were chunked.
 */
import { isAscii, isUtf8 } from 'node:buffer'
import type { BodyCollector } from './body-collector.ts'
import { findCharset, utf8, windows1252, type Charset, type CharsetDecoder } from './charset.ts'
import type { DefectLog } from './defects.ts'
import { FlowedText } from './flowed-text.ts'

export interface TextFormat {
  /** The charset parameter; null where there is none. */
  charset: string | null
  flowed: boolean
  deleteSpace: boolean
}

/** UTF-8 that may be cut within its last character. */
const isUtf8Start = (bytes: Buffer): boolean => {
  let end = bytes.length
  while (end > 0 && end > bytes.length - 3 && ((bytes[end - 1] as number) & 0xc0) === 0x80) end--
  if (end > 0 && (bytes[end - 1] as number) >= 0xc0) end--
  else end = bytes.length
  return isUtf8(bytes.subarray(0, end))
}

export class TextPart {
  readonly #format: TextFormat
  readonly #body: BodyCollector
  readonly #defects: DefectLog
  readonly #holdBytes: number
  readonly #flowed: FlowedText | null
  #held: Buffer[] = []
  #heldBytes = 0
  #decoder: CharsetDecoder | null = null
  #endsInCr = false

  /** Up to `holdBytes` are held back: enough to see which charset undeclared text is in. */
  constructor(format: TextFormat, body: BodyCollector, holdBytes: number, defects: DefectLog) {
    this.#format = format
    this.#body = body
    this.#holdBytes = holdBytes
    this.#defects = defects
    this.#flowed = format.flowed ? new FlowedText(format.deleteSpace) : null
  }

  write(bytes: Buffer): void {
    if (this.#decoder !== null) {
      this.#text(this.#decoder.write(bytes))
      return
    }
    this.#held.push(bytes)
    this.#heldBytes += bytes.length
    if (this.#heldBytes <= this.#holdBytes) return
    const all = Buffer.concat(this.#held)
    const start = all.subarray(0, this.#holdBytes)
    this.#decoder = this.#charset(start, isUtf8Start(start)).open()
    this.#held = []
    this.#text(this.#decoder.write(all))
  }

  end(): void {
    if (this.#decoder === null) {
      const [first] = this.#held
      const bytes = this.#held.length === 1 && first !== undefined ? first : Buffer.concat(this.#held)
      this.#held = []
      this.#text(this.#charset(bytes, isUtf8(bytes)).decode(bytes))
    } else {
      this.#text(this.#decoder.end())
    }
    if (this.#endsInCr) this.#lines('\r')
    this.#endsInCr = false
    if (this.#flowed !== null) this.#body.append(this.#flowed.end())
    this.#body.endPart()
  }

  #charset(sample: Buffer, isValidUtf8: boolean): Charset {
    const declared = findCharset(this.#format.charset ?? '')
    if (declared !== null && declared !== 'undeclared') return declared
    const guess = isValidUtf8 ? utf8 : windows1252
    if (declared === null) {
      this.#defects.add('charset: unknown; read as UTF-8 or windows-1252')
    } else if (!isAscii(sample)) {
      this.#defects.add(
        guess === utf8 ? 'charset: none declared; read as UTF-8' : 'charset: none declared; read as windows-1252',
      )
    }
    return guess
  }

  #text(text: string): void {
    if (text === '') return
    if (text.includes('\ufffd')) this.#defects.add('charset: bytes that are not valid in it; replaced')
    const all = this.#endsInCr ? `\r${text}` : text
    this.#endsInCr = all.endsWith('\r')
    this.#lines((this.#endsInCr ? all.slice(0, -1) : all).replaceAll('\r\n', '\n'))
  }

  #lines(text: string): void {
    this.#body.append(this.#flowed === null ? text : this.#flowed.write(text))
  }
}
