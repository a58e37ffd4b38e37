/**
 * One body of the message, text or HTML, joined from the parts that make it up. Up to a bound it is a string; above
 * it all of it goes, as UTF-8, to a sink that is opened then, and memory stays bounded.
 */
import type { ContentSink } from './content.ts'

export class BodyCollector {
  readonly #separator: string
  readonly #maxBytes: number
  readonly #openLarge: () => ContentSink
  #pieces: string[] = []
  #bytes = 0
  #sink: ContentSink | null = null
  #partHasText = false
  #hasText = false

  constructor(separator: string, maxBytes: number, openLarge: () => ContentSink) {
    this.#separator = separator
    this.#maxBytes = maxBytes
    this.#openLarge = openLarge
  }

  /** Adds text of the current part. */
  append(text: string): void {
    if (text === '') return
    if (!this.#partHasText && this.#hasText) this.#add(this.#separator)
    this.#partHasText = true
    this.#hasText = true
    this.#add(text)
  }

  endPart(): void {
    this.#partHasText = false
  }

  get isEmpty(): boolean {
    return !this.#hasText
  }

  /** Whether the body was handed over as bytes. */
  get isLarge(): boolean {
    return this.#sink !== null
  }

  /** The body; null where there is none or where it was handed over as bytes. */
  finish(): string | null {
    this.#sink?.end()
    return this.#sink === null && this.#hasText ? this.#pieces.join('') : null
  }

  #add(text: string): void {
    if (this.#sink !== null) {
      this.#sink.write(Buffer.from(text, 'utf8'))
      return
    }
    this.#pieces.push(text)
    this.#bytes += Buffer.byteLength(text, 'utf8')
    if (this.#bytes <= this.#maxBytes) return
    this.#sink = this.#openLarge()
    this.#sink.write(Buffer.from(this.#pieces.join(''), 'utf8'))
    this.#pieces = []
  }
}
