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
/** A line after padding that is longer than this is not held back to be judged. */
const maxHeldLine = 64 * 1024

const isBlank = (byte: number): boolean => byte === 32 || byte === 9 || byte === cr || byte === lf

/** Length of the equal lines that begin at `from`, and the offset at which they end. */
const equalLines = (chunk: Buffer, from: number): { length: number; breakLength: number; end: number } | null => {
  const firstBreak = chunk.indexOf(lf, from)
  if (firstBreak < 0) return null
  const hasCr = firstBreak > from && chunk[firstBreak - 1] === cr
  const breakLength = hasCr ? 2 : 1
  const length = firstBreak + 1 - breakLength - from
  if (length < 4 || length % 4 !== 0 || length > 4096) return null
  const stride = length + breakLength
  const last = Math.min(chunk.length, from + Math.max(stride, blockBytes)) - stride
  let end = from
  for (; end <= last; end += stride) {
    if (chunk[end + stride - 1] !== lf || (hasCr && chunk[end + length] !== cr)) break
  }
  return { length, breakLength, end }
}

export class Base64Decoder {
  readonly #defects: DefectLog
  /** Bits of the characters of an unfinished group of four, and how many there are. */
  #bits = 0
  #count = 0
  #padded = false
  #ended = false
  /** After padding: the line that is being judged. */
  #held: Buffer[] = []
  #heldLength = 0

  constructor(defects: DefectLog) {
    this.#defects = defects
  }

  write(chunk: Buffer): Buffer {
    const output = Buffer.allocUnsafe(Math.ceil((this.#heldLength + chunk.length + 4) * 0.75) + 3)
    let length = 0
    let at = 0
    while (at < chunk.length && !this.#ended) {
      if (this.#padded) {
        const lineEnd = chunk.indexOf(lf, at)
        const end = lineEnd < 0 ? chunk.length : lineEnd + 1
        this.#hold(chunk.subarray(at, end))
        at = end
        if (lineEnd >= 0) length = this.#judge(output, length)
        continue
      }
      if (this.#count === 0) {
        const native = this.#native(chunk, at, output, length)
        if (native > 0) {
          at += native
          length = this.#written
          continue
        }
      }
      const next = chunk.indexOf(lf, at)
      const end = next < 0 ? chunk.length : next + 1
      length = this.#slow(chunk, at, end, output, length)
      at = this.#stopped
    }
    return output.subarray(0, length)
  }

  end(): Buffer {
    const output = Buffer.allocUnsafe(Math.ceil((this.#heldLength + 4) * 0.75) + 3)
    let length = 0
    if (this.#padded && !this.#ended) length = this.#judge(output, length)
    return output.subarray(0, this.#finishGroup(output, length))
  }

  #written = 0
  #stopped = 0

  /** Decodes a block of equal lines; returns the bytes read, 0 when there is no such block. */
  #native(chunk: Buffer, at: number, output: Buffer, length: number): number {
    const lines = equalLines(chunk, at)
    if (lines === null || lines.end === at) return 0
    const block = chunk.subarray(at, lines.end)
    if (block.includes(pad) || block.includes(dash) || block.includes(underscore)) return 0
    const expected = ((block.length / (lines.length + lines.breakLength)) * lines.length * 3) / 4
    const written = output.write(block.toString('latin1'), length, 'base64')
    if (written !== expected) return 0
    this.#written = length + written
    return block.length
  }

  /** Decodes by table up to `end` or to the end of the padding; sets where it stopped. */
  #slow(chunk: Buffer, from: number, end: number, output: Buffer, start: number): number {
    let bits = this.#bits
    let count = this.#count
    let length = start
    let at = from
    for (; at < end; at++) {
      const byte = chunk[at] as number
      const value = table[byte] as number
      if (value >= 0) {
        bits = (bits << 6) | value
        if (++count === 4) {
          output[length++] = bits >> 16
          output[length++] = bits >> 8
          output[length++] = bits
          bits = 0
          count = 0
        }
      } else if (byte === pad) {
        this.#bits = bits
        this.#count = count
        length = this.#finishGroup(output, length)
        this.#padded = true
        this.#stopped = at + 1
        return length
      } else if (!isBlank(byte)) {
        this.#defects.add('base64: characters outside the alphabet were ignored')
      }
    }
    this.#bits = bits
    this.#count = count
    this.#stopped = end
    return length
  }

  #finishGroup(output: Buffer, start: number): number {
    let length = start
    if (this.#count === 1) this.#defects.add('base64: incomplete at the end; the whole bytes were kept')
    if (this.#count === 2) output[length++] = this.#bits >> 4
    if (this.#count === 3) {
      output[length++] = this.#bits >> 10
      output[length++] = this.#bits >> 2
    }
    this.#bits = 0
    this.#count = 0
    return length
  }

  #hold(piece: Buffer): void {
    this.#heldLength += piece.length
    if (this.#heldLength > maxHeldLine) {
      this.#stop()
      return
    }
    this.#held.push(Buffer.from(piece))
  }

  #stop(): void {
    this.#defects.add('base64: text after the end was left out')
    this.#ended = true
    this.#held = []
    this.#heldLength = 0
  }

  /** Decodes the held line if it is base64 throughout, else ends the content. */
  #judge(output: Buffer, start: number): number {
    const line = Buffer.concat(this.#held)
    this.#held = []
    this.#heldLength = 0
    let length = start
    if (line.some((byte) => table[byte] === invalid && byte !== pad && !isBlank(byte))) {
      this.#stop()
      return length
    }
    let at = 0
    while (at < line.length) {
      length = this.#slow(line, at, line.length, output, length)
      at = this.#stopped
    }
    return length
  }
}
