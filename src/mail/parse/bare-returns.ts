/**
 * Mail whose lines end in a carriage return alone, which old Macs wrote and some gateways still do.
 *
 * State: `undecided` while the header comes, its bytes held; then `absent` for nearly all mail, or `present`. Decided by the
 * empty line that ends the header, once: a stray carriage return in other mail stays what it is.
 */
import type { ContentSink } from './content.ts'

const none = Buffer.alloc(0)
const lf = 10
const cr = 13
/** Bytes without an empty line after which it is decided by what was seen. */
const maxLooked = 64 * 1024

/** A whole header without a carriage return by itself, as nearly all mail has it. */
const isUsual = (chunk: Buffer): boolean => {
  const text = chunk.toString('latin1', 0, maxLooked)
  const end = text.search(/\n\r?\n/)
  return end >= 0 && !/\r(?!\n)/.test(text.slice(0, end))
}

export class BareReturns {
  #state: 'undecided' | 'absent' | 'present' = 'undecided'
  #held: Buffer[] = []
  #looked = 0
  /** Of the header: the byte before, characters of the line so far, lines by how they ended. */
  #previous = -1
  #lineLength = 0
  #returns = 0
  #feeds = 0

  get present(): boolean {
    return this.#state === 'present'
  }

  /** Returns what can be parsed by now: nothing, as long as it is undecided. */
  push(chunk: Buffer): Buffer {
    if (this.#state !== 'undecided') return chunk
    if (this.#held.length === 0 && isUsual(chunk)) {
      this.#state = 'absent'
      return chunk
    }
    this.#held.push(chunk)
    return this.#decides(chunk) ? this.#release() : none
  }

  /** Returns what is left. */
  finish(): Buffer {
    if (this.#state !== 'undecided') return none
    if (this.#previous === cr) this.#returns++
    return this.#release()
  }

  /** Looks for the empty line, whichever way lines end. */
  #decides(chunk: Buffer): boolean {
    for (const byte of chunk) {
      if (this.#previous === cr && byte !== lf) {
        this.#returns++
        if (this.#lineLength === 0) return true
        this.#lineLength = 0
      }
      if (byte === lf) {
        this.#feeds++
        if (this.#lineLength === 0) {
          this.#returns = 0
          return true
        }
        this.#lineLength = 0
      } else if (byte !== cr) {
        this.#lineLength++
      }
      this.#previous = byte
      if (++this.#looked === maxLooked) return true
    }
    return false
  }

  #release(): Buffer {
    // A server may have put a field of its own in front, with other line ends.
    this.#state = this.#returns > this.#feeds ? 'present' : 'absent'
    const bytes = this.#held.length === 1 ? (this.#held[0] ?? none) : Buffer.concat(this.#held)
    this.#held = []
    return bytes
  }
}

/** The same with line feeds, of the same length. */
export const withFeeds = (bytes: Buffer): Buffer => {
  const copy = Buffer.from(bytes)
  for (let at = 0; at < copy.length; at++) if (copy[at] === cr && copy[at + 1] !== lf) copy[at] = lf
  return copy
}

/** Line feeds for carriage returns, with a line feed behind them or without. */
const joined = (bytes: Buffer): Buffer => {
  const output = Buffer.allocUnsafe(bytes.length)
  let length = 0
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number
    output[length++] = byte === cr ? lf : byte
    if (byte === cr && bytes[at + 1] === lf) at++
  }
  return output.subarray(0, length)
}

/** The same on the way to a sink. */
export const feedsInto = (sink: ContentSink): ContentSink => {
  let endedInReturn = false
  return {
    write: (bytes) => {
      // Each carriage return became a line feed at once; a line feed right behind it is its own.
      const rest = endedInReturn && bytes[0] === lf ? bytes.subarray(1) : bytes
      if (bytes.length > 0) endedInReturn = bytes[bytes.length - 1] === cr
      if (rest.length > 0) sink.write(joined(rest))
    },
    end: () => sink.end(),
  }
}
