/**
 * One text part on its way into a body: bytes → line breaks as `\n` → characters in the part's charset. The lines are
 * those that were sent, also of format=flowed (RFC 3676), which is made to be read as it is: senders that claim it and
 * don't stuff would lose characters. The result does not depend on how the bytes were chunked.
 */
import { isAscii, isUtf8 } from 'node:buffer'
import type { BodyCollector } from './body-collector.ts'
import { findCharset, guessCharset, utf8, type Charset, type CharsetDecoder } from './charset.ts'
import type { DefectLog } from './defects.ts'

/** UTF-8 that may be cut within its last character. */
const isUtf8Start = (bytes: Buffer): boolean => {
  let end = bytes.length
  while (end > 0 && end > bytes.length - 3 && ((bytes[end - 1] as number) & 0xc0) === 0x80) end--
  if (end > 0 && (bytes[end - 1] as number) >= 0xc0) end--
  else end = bytes.length
  return isUtf8(bytes.subarray(0, end))
}

const none = Buffer.alloc(0)
const lf = 10
const cr = 13

/** `bytes` without carriage returns in front of line feeds. */
const withoutReturns = (bytes: Buffer): Buffer => {
  const first = bytes.indexOf('\r\n')
  if (first < 0) return bytes
  const output = Buffer.allocUnsafe(bytes.length)
  bytes.copy(output, 0, 0, first)
  let length = first
  for (let at = first; at < bytes.length; at++) {
    const byte = bytes[at] as number
    if (byte !== cr || bytes[at + 1] !== lf) output[length++] = byte
  }
  return output.subarray(0, length)
}

export class TextPart {
  readonly #declared: Charset | 'undeclared' | null
  readonly #isWide: boolean
  readonly #body: BodyCollector
  readonly #defects: DefectLog
  readonly #holdBytes: number
  #held: Buffer[] = []
  #heldBytes = 0
  #decoder: CharsetDecoder | null = null
  /** A carriage return at the end of what was written, which waits for what follows; never of a wide charset. */
  #open: Buffer = none

  /**
   * Up to `holdBytes` are held back: enough to see which charset undeclared text is in.
   *
   * @param label the charset parameter; null where there is none
   */
  constructor(label: string | null, body: BodyCollector, holdBytes: number, defects: DefectLog) {
    this.#declared = findCharset(label ?? '')
    this.#isWide = this.#declared !== null && this.#declared !== 'undeclared' && this.#declared.isWide
    this.#body = body
    this.#holdBytes = holdBytes
    this.#defects = defects
  }

  write(bytes: Buffer): void {
    if (this.#isWide) {
      this.#hold(bytes)
      return
    }
    const all = this.#open.length === 0 ? bytes : Buffer.concat([this.#open, bytes])
    const end = all[all.length - 1] === cr ? all.length - 1 : all.length
    this.#open = Buffer.from(all.subarray(end))
    const content = withoutReturns(all.subarray(0, end))
    if (content.length > 0) this.#hold(content)
  }

  #hold(bytes: Buffer): void {
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
    if (this.#open.length > 0) this.#hold(this.#open)
    if (this.#decoder === null) {
      const [first] = this.#held
      const bytes = this.#held.length === 1 && first !== undefined ? first : Buffer.concat(this.#held)
      this.#held = []
      this.#text(this.#charset(bytes, isUtf8(bytes)).decode(bytes))
    } else {
      this.#text(this.#decoder.end())
    }
    this.#body.endPart()
  }

  #charset(sample: Buffer, isValidUtf8: boolean): Charset {
    const declared = this.#declared
    if (declared !== null && declared !== 'undeclared') return declared
    const guess = isValidUtf8 ? utf8 : guessCharset(sample)
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
    this.#body.append(this.#isWide ? text.replaceAll('\r\n', '\n') : text)
  }
}
