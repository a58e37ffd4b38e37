/**
 * Base64 content (RFC 2045 6.8), decoded incrementally and to the byte.
 *
 * Characters outside the alphabet are ignored. Padding ends a run; content goes on after it only with lines that are
 * base64 throughout (encoders that pad each piece on its own), so that a footer which a mailing list appended does
 * not end up as garbage bytes.
 *
 * Most content is lines of equal length. Runs of such lines go to the native decoder in blocks; everything else goes
 * through a table. A block is taken from the native decoder only if its length proves that each character between
 * the line breaks was one of the alphabet.
 */
import type { DefectLog } from './defects.ts'

const invalid = -1
const table = new Int8Array(256).fill(invalid)
'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'.split('').forEach((char, value) => {
  table[char.charCodeAt(0)] = value
})

const cr = 13
const lf = 10
const pad = 61
const dash = 45
const underscore = 95
/** Bytes handed to the native decoder at once: small enough to stay in the cache. */
const blockBytes = 48 * 1024
/** Bytes that go through the table before equal lines are looked for again. */
const minTableBytes = 256
/** A line after padding that is longer than this is not held back to be judged. */
const maxHeldLine = 64 * 1024

const isBlank = (byte: number): boolean => byte === 32 || byte === 9 || byte === cr || byte === lf

const isPadding = (byte: number): boolean => byte === pad || isBlank(byte)

/** The block of lines of equal length that begins at `from`; null where no two lines are alike. */
const equalLines = (chunk: Buffer, from: number): { decodedLength: number; end: number } | null => {
  const firstBreak = chunk.indexOf(lf, from)
  if (firstBreak < 0) return null
  const hasCr = firstBreak > from && chunk[firstBreak - 1] === cr
  const length = firstBreak - from - (hasCr ? 1 : 0)
  if (length < 4 || length % 4 !== 0 || length > 4096) return null
  const stride = firstBreak + 1 - from
  const last = Math.min(chunk.length, from + blockBytes) - stride
  let end = from
  for (; end <= last; end += stride) {
    if (chunk[end + stride - 1] !== lf || (hasCr && chunk[end + length] !== cr)) break
  }
  return end === from ? null : { decodedLength: ((end - from) / stride) * length * 0.75, end }
}

interface Output {
  bytes: Buffer
  length: number
}

export class Base64Decoder {
  readonly #defects: DefectLog
  /** Bits of the characters of an unfinished group of four, and how many there are. */
  #bits = 0
  #count = 0
  #state: 'run' | 'padded' | 'ended' = 'run'
  /** After padding: the beginning of the line that is to be judged. */
  #held: Buffer[] = []
  #heldLength = 0

  constructor(defects: DefectLog) {
    this.#defects = defects
  }

  write(chunk: Buffer): Buffer {
    const output = newOutput(this.#heldLength + chunk.length)
    let at = 0
    while (at < chunk.length && this.#state !== 'ended') {
      at = this.#state === 'padded' ? this.#judge(chunk, at, output) : this.#run(chunk, at, output)
    }
    return output.bytes.subarray(0, output.length)
  }

  end(): Buffer {
    const output = newOutput(this.#heldLength)
    this.#decodeHeld(output)
    this.#finishGroup(output)
    return output.bytes.subarray(0, output.length)
  }

  /** Decodes as much as it can in one go; returns where it stopped. */
  #run(chunk: Buffer, at: number, output: Output): number {
    const block = this.#count === 0 ? equalLines(chunk, at) : null
    if (block === null) {
      // Some lines at once: content of short or empty ones costs no more per byte.
      const lineFeed = chunk.indexOf(lf, at + minTableBytes)
      return this.#decode(chunk, at, lineFeed < 0 ? chunk.length : lineFeed + 1, output)
    }
    const lines = chunk.subarray(at, block.end)
    if (!lines.includes(pad) && !lines.includes(dash) && !lines.includes(underscore)) {
      const written = output.bytes.write(lines.toString('latin1'), output.length, 'base64')
      if (written === block.decodedLength) {
        output.length += written
        return block.end
      }
    }
    return this.#decode(chunk, at, block.end, output)
  }

  /** Decodes by table up to `end` or to the first padding; returns where it stopped. */
  #decode(chunk: Buffer, from: number, end: number, output: Output): number {
    const { bytes } = output
    let { length } = output
    let bits = this.#bits
    let count = this.#count
    let at = from
    let byte = 0
    for (; at < end; at++) {
      byte = chunk[at] as number
      const value = table[byte] as number
      if (value >= 0) {
        bits = (bits << 6) | value
        if (++count === 4) {
          bytes[length++] = bits >> 16
          bytes[length++] = bits >> 8
          bytes[length++] = bits
          bits = 0
          count = 0
        }
      } else if (byte === pad) {
        break
      } else if (!isBlank(byte)) {
        this.#defects.add('base64: characters outside the alphabet were ignored')
      }
    }
    this.#bits = bits
    this.#count = count
    output.length = length
    if (at === end) return end
    this.#finishGroup(output)
    this.#state = 'padded'
    return at + 1
  }

  #finishGroup(output: Output): void {
    if (this.#count === 1) this.#defects.add('base64: incomplete at the end; the whole bytes were kept')
    if (this.#count === 2) output.bytes[output.length++] = this.#bits >> 4
    if (this.#count === 3) {
      output.bytes[output.length++] = this.#bits >> 10
      output.bytes[output.length++] = this.#bits >> 2
    }
    this.#bits = 0
    this.#count = 0
  }

  /** After padding: takes one line, which goes on with the content only if it is base64 throughout. */
  #judge(chunk: Buffer, from: number, output: Output): number {
    let at = from
    if (this.#heldLength === 0) while (at < chunk.length && isPadding(chunk[at] as number)) at++
    if (at === chunk.length) return at
    const lineFeed = chunk.indexOf(lf, at)
    const end = lineFeed < 0 ? chunk.length : lineFeed + 1
    if (!isBase64(chunk, at, end) || this.#heldLength + end - at > maxHeldLine) {
      this.#defects.add('base64: text after the end was left out')
      this.#state = 'ended'
      this.#held = []
      this.#heldLength = 0
    } else if (lineFeed < 0) {
      this.#held.push(Buffer.from(chunk.subarray(at)))
      this.#heldLength += end - at
    } else {
      this.#decodeHeld(output)
      this.#decodeAll(chunk, at, end, output)
    }
    return end
  }

  #decodeHeld(output: Output): void {
    if (this.#heldLength === 0) return
    const held = Buffer.concat(this.#held)
    this.#held = []
    this.#heldLength = 0
    this.#decodeAll(held, 0, held.length, output)
  }

  #decodeAll(bytes: Buffer, from: number, end: number, output: Output): void {
    for (let at = from; at < end;) at = this.#decode(bytes, at, end, output)
  }
}

const newOutput = (encoded: number): Output => ({ bytes: Buffer.allocUnsafe(Math.ceil(encoded * 0.75) + 6), length: 0 })

const isBase64 = (bytes: Buffer, from: number, end: number): boolean => {
  for (let at = from; at < end; at++) {
    const byte = bytes[at] as number
    if (table[byte] === invalid && byte !== pad && !isBlank(byte)) return false
  }
  return true
}
