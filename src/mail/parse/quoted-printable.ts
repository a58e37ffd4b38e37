/**
 * Quoted-printable content (RFC 2045 6.7), decoded incrementally. Line breaks stay as they were sent. Blanks at the
 * end of a line were added in transport and are removed (rule 3); a broken escape stays as written.
 */
import type { DefectLog } from './defects.ts'

const equals = 61
const cr = 13
const lf = 10
/** A longer run of blanks is taken as content at once, so that no chunk holds more than this back. */
const maxBlankRun = 64 * 1024

const hexValue = (byte: number | undefined): number => {
  if (byte === undefined) return -1
  if (byte >= 48 && byte <= 57) return byte - 48
  const upper = byte & ~32
  return upper >= 65 && upper <= 70 ? upper - 55 : -1
}

const isBlank = (byte: number | undefined): boolean => byte === 32 || byte === 9

const none = Buffer.alloc(0)

export class QuotedPrintableDecoder {
  readonly #defects: DefectLog
  #rest: Buffer = none
  #inLongRun = false

  constructor(defects: DefectLog) {
    this.#defects = defects
  }

  write(chunk: Buffer): Buffer {
    return this.#decode(this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]), false)
  }

  end(): Buffer {
    return this.#decode(this.#rest, true)
  }

  #decode(input: Buffer, final: boolean): Buffer {
    const output = Buffer.allocUnsafe(input.length)
    const size = input.length
    let length = 0
    let at = 0
    this.#rest = none
    while (at < size) {
      const first = at
      // The common case, in a tight loop: no escape, and no blank but in front of a visible character.
      for (; at < size; at++) {
        const byte = input[at] as number
        if (byte === equals || ((byte === 32 || byte === 9) && !((input[at + 1] ?? 0) > 32))) break
        output[length++] = byte
      }
      if (at > first) this.#inLongRun = false
      if (at === size) break
      const byte = input[at] as number
      const start = at
      if (byte === equals) {
        const high = hexValue(input[at + 1])
        const low = hexValue(input[at + 2])
        if (high >= 0 && low >= 0) {
          output[length++] = (high << 4) | low
          at += 3
          continue
        }
        if (!final && (at + 1 === size || (high >= 0 && at + 2 === size))) {
          this.#rest = input.subarray(start)
          break
        }
        at++
      }
      while (at < size && isBlank(input[at])) at++
      const isLong = (this.#inLongRun && byte !== equals) || at - start > maxBlankRun
      if (!final && !isLong && (at === size || (at + 1 === size && input[at] === cr))) {
        this.#rest = input.subarray(start)
        break
      }
      const breakLength = lineBreak(input, at)
      if (isLong || breakLength < 0) {
        if (byte === equals) this.#defects.add('quoted-printable: broken escapes were left as written')
        for (let from = start; from < at; from++) output[length++] = input[from] as number
        this.#inLongRun = isLong && at === size
      } else if (byte === equals) {
        at += breakLength
      }
    }
    return output.subarray(0, length)
  }
}

/** Length of the line break at `at`, 0 at the end of the content, -1 where there is none. */
const lineBreak = (input: Buffer, at: number): number => {
  if (at >= input.length) return 0
  if (input[at] === lf) return 1
  return input[at] === cr && input[at + 1] === lf ? 2 : -1
}
