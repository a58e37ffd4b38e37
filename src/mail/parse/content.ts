/** Where decoded content goes, and how it gets there from the bytes of the message. */
import { Base64Decoder } from './base64.ts'
import type { DefectLog } from './defects.ts'
import { QuotedPrintableDecoder } from './quoted-printable.ts'
import { UuDecoder } from './uuencode.ts'

/** Takes content in order, at once. */
export interface ContentSink {
  write(bytes: Buffer): void
  end(): void
}

export type TransferEncoding = 'base64' | 'quoted-printable' | 'uuencode' | 'identity'

const decoders = { base64: Base64Decoder, 'quoted-printable': QuotedPrintableDecoder, uuencode: UuDecoder }

/** Removes a transfer encoding in front of a sink; empty writes are left out. */
export const decodeInto = (encoding: TransferEncoding, sink: ContentSink, defects: DefectLog): ContentSink => {
  if (encoding === 'identity') return sink
  const decoder = new decoders[encoding](defects)
  const pass = (bytes: Buffer): void => {
    if (bytes.length > 0) sink.write(bytes)
  }
  return {
    write: (bytes) => pass(decoder.write(bytes)),
    end: () => {
      pass(decoder.end())
      sink.end()
    },
  }
}

/** Keeps the first `maxBytes` of what passes on to `sink`. */
export class CapturingSink implements ContentSink {
  readonly #sink: ContentSink
  readonly #maxBytes: number
  #pieces: Buffer[] = []
  #bytes = 0
  /** Of all that passed. */
  size = 0

  constructor(sink: ContentSink, maxBytes: number) {
    this.#sink = sink
    this.#maxBytes = maxBytes
  }

  write(bytes: Buffer): void {
    this.size += bytes.length
    if (this.#bytes < this.#maxBytes) {
      const piece = bytes.subarray(0, this.#maxBytes - this.#bytes)
      this.#pieces.push(piece)
      this.#bytes += piece.length
    }
    this.#sink.write(bytes)
  }

  end(): void {
    this.#sink.end()
  }

  captured(): Buffer {
    return Buffer.concat(this.#pieces)
  }
}
