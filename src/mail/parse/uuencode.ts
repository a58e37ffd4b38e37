/**
 * uuencoded content (POSIX uuencode), which was a transfer encoding before MIME had base64: lines of a length and that
 * many bytes in groups of four characters, between `begin MODE NAME` and `end`. Decoded incrementally.
 *
 * State: `before` the begin line, what comes held; `data`; `after` the end. Content without a begin line stays as it is.
 */
import type { DefectLog } from './defects.ts'

const none = Buffer.alloc(0)
const lf = 10
const lowerE = 101
/** Text in front of the begin line; with more the content is not what it says. Also of one line. */
const maxHeld = 64 * 1024

export class UuDecoder {
  readonly #defects: DefectLog
  #state: 'before' | 'data' | 'after' | 'plain' = 'before'
  /** Before the begin line all, then the line that is not complete. */
  #rest: Buffer = none
  /** Where in `#rest` the line begins that is not complete. */
  #line = 0

  constructor(defects: DefectLog) {
    this.#defects = defects
  }

  write(chunk: Buffer): Buffer {
    return this.#decode(chunk, false)
  }

  end(): Buffer {
    const decoded = this.#decode(none, true)
    if (this.#state === 'plain') return decoded
    if (this.#state !== 'after') this.#defects.add('uuencode: no begin or no end; read as far as it goes')
    const plain = this.#state === 'before' ? this.#rest : none
    this.#rest = none
    return plain.length > 0 ? plain : decoded
  }

  #decode(chunk: Buffer, final: boolean): Buffer {
    if (this.#state === 'plain') return chunk
    const input = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    const output = Buffer.allocUnsafe(input.length + 64)
    let length = 0
    let at = this.#line
    while (at < input.length) {
      const found = input.indexOf(lf, at)
      if (found < 0 && !final) break
      const end = found < 0 ? input.length : found
      length = this.#readLine(input, at, end, output, length)
      at = found < 0 ? end : end + 1
    }
    const from = this.#state === 'before' ? 0 : at
    this.#rest = input.subarray(from)
    this.#line = at - from
    if (!final && this.#rest.length > maxHeld) {
      this.#defects.add('uuencode: no begin or no end; read as far as it goes')
      const isPlain = this.#state === 'before'
      const held = this.#rest
      this.#rest = none
      this.#line = 0
      if (isPlain) this.#state = 'plain'
      return isPlain ? held : output.subarray(0, length)
    }
    return output.subarray(0, length)
  }

  #readLine(input: Buffer, start: number, end: number, output: Buffer, from: number): number {
    if (this.#state === 'data' && input[start] !== lowerE) return decodeLine(input, start, end, output, from)
    const line = end - start < 200 ? input.toString('latin1', start, end).trimEnd() : ''
    if (this.#state === 'before' && /^begin [0-7]{3,4}(?: |$)/.test(line)) this.#state = 'data'
    // A line of data can't begin so: its length would be more than a line has.
    else if (this.#state === 'data' && line === 'end') this.#state = 'after'
    return from
  }
}

/** Returns where the output ends. */
const decodeLine = (input: Buffer, start: number, end: number, output: Buffer, from: number): number => {
  const claimed = ((input[start] ?? 32) - 32) & 63
  // Blanks at the end of a line, zeros, may have been lost on the way; a line that lacks more than some is no such line.
  const carried = Math.floor(((end - start - 1) * 3) / 4)
  const stop = from + (claimed * 3 <= carried * 4 ? claimed : Math.max(0, Math.min(claimed, carried)))
  let length = from
  for (let at = start + 1; length < stop; at += 4) {
    let group = 0
    for (let index = at; index < at + 4; index++) {
      group = (group << 6) | (index < end ? ((input[index] as number) - 32) & 63 : 0)
    }
    for (let shift = 16; shift >= 0 && length < stop; shift -= 8) output[length++] = group >> shift
  }
  return length
}
