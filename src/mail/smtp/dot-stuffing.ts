/**
 * The transparency of mail data (RFC 5321 4.5.2) (pure).
 *
 * A line that begins with a dot gets another one. A CR or LF on its own becomes CRLF, also across chunks: what one
 * server takes for the end of the data and another does not would let a mail carry a second one (SMTP smuggling).
 */
const cr = 0x0d
const lf = 0x0a
const dot = 0x2e

export class DotStuffer {
  /** Of what was pushed so far; at first as after a line break. */
  #last = lf
  #empty = true

  /** @returns the chunk itself where nothing has to change */
  push(chunk: Buffer): Buffer {
    if (chunk.length === 0) return chunk
    this.#empty = false
    const pieces: Buffer[] = []
    let from = 0
    let last = this.#last
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]
      if (last === cr && byte !== lf) {
        pieces.push(chunk.subarray(from, at), byte === dot ? lfDot : lineFeed)
        from = at
      } else if (byte === lf && last !== cr) {
        pieces.push(chunk.subarray(from, at), carriageReturn)
        from = at
      } else if (byte === dot && last === lf) {
        pieces.push(chunk.subarray(from, at), extraDot)
        from = at
      }
      last = byte ?? 0
    }
    this.#last = last
    if (pieces.length === 0) return chunk
    pieces.push(chunk.subarray(from))
    return Buffer.concat(pieces)
  }

  /** What ends the data, with the line break that the last line may lack. */
  end(): Buffer {
    if (this.#empty || this.#last === lf) return dotLine
    return this.#last === cr ? lfDotLine : crlfDotLine
  }
}

const lineFeed = Buffer.from('\n')
const lfDot = Buffer.from('\n.')
const carriageReturn = Buffer.from('\r')
const extraDot = Buffer.from('.')
const dotLine = Buffer.from('.\r\n')
const lfDotLine = Buffer.from('\n.\r\n')
const crlfDotLine = Buffer.from('\r\n.\r\n')
