/**
 * Takes a message apart into header blocks and contents, from chunks of any size. It knows lines and boundaries and
 * nothing else; what a header means is asked of `SplitterEvents`.
 *
 * State: `header` (collecting a header block; `skip` passes over the rest of one that is too long) → `leaf` (content
 * of a part), or for a multipart `preamble` → `header` of its first part. After a closing delimiter, `epilogue`.
 *
 * Invariants: the line break in front of a delimiter belongs to the delimiter (RFC 2046 5.1.1), so the last line
 * break is held back until the next line is known not to be one. What is held back is bounded by a header block or a
 * delimiter line. Each byte is looked at a constant number of times.
 */
import { Delimiters, type Match } from './delimiters.ts'
import { findDelimiterLine } from './find-delimiter-line.ts'

export interface HeaderAnswer {
  /** With it, what follows is a multipart to be split. */
  boundary: string | null
  /** Offset in the block at which the body begins; -1: after the block. */
  bodyAt: number
}

export interface SplitterEvents {
  /** A header block without its empty line; `cut` when it is longer than the bound. */
  header(block: Buffer, cut: boolean): HeaderAnswer
  /** Content of the part whose header came last; of a multipart, what stands outside its parts. */
  content(bytes: Buffer): void
  /** The part whose header came last has ended. Not called for a multipart. */
  endPart(): void
  /** The innermost multipart has ended, with a closing delimiter or without. */
  endMultipart(closed: boolean): void
  /** Too many parts: all that follows is content, up to `endPart`. */
  rest(): void
}

type State = 'header' | 'skip' | 'leaf' | 'preamble' | 'epilogue'

const none = Buffer.alloc(0)
const lf = 10
const cr = 13
const dash = 45

export class PartSplitter {
  readonly #events: SplitterEvents
  readonly #maxHeaderBytes: number
  readonly #maxParts: number
  readonly #delimiters = new Delimiters()
  /** The byte that ends lines, another one that may stand beside it. */
  #lineEnd = lf
  #beside = cr
  #state: State = 'header'
  #carry: Buffer = none
  /** Whether the first byte of the next window begins a line. */
  #lineStart = true
  /** Bytes of the carry that are complete header lines. */
  #scanned = 0
  #parts = 0

  constructor(events: SplitterEvents, bounds: { maxHeaderBytes: number; maxParts: number }) {
    this.#events = events
    this.#maxHeaderBytes = bounds.maxHeaderBytes
    this.#maxParts = bounds.maxParts
  }

  /** Lines end in carriage returns. Before the first push. */
  endLinesInReturns(): void {
    this.#lineEnd = cr
    this.#beside = lf
  }

  push(chunk: Buffer): void {
    if (chunk.length > 0) this.#run(this.#carry.length > 0 ? Buffer.concat([this.#carry, chunk]) : chunk, false)
  }

  finish(): void {
    this.#run(this.#carry, true)
    if (this.#state === 'header') this.#enterBody(this.#events.header(none, false))
    if (this.#state === 'skip') this.#state = this.#afterSkip
    this.#endLeaf()
    while (this.#delimiters.depth > 0) this.#closeMultipart(false)
  }

  #run(window: Buffer, final: boolean): void {
    this.#carry = none
    let at = 0
    while (at < window.length) {
      const inHeader = this.#state === 'header' || this.#state === 'skip'
      const next = inHeader ? this.#readHeader(window, at, final) : this.#readContent(window, at, final)
      if (next < 0) return
      at = next
      this.#lineStart = true
    }
  }

  /** Returns the offset after the header block, or -1 when the window is used up. */
  #readHeader(window: Buffer, start: number, final: boolean): number {
    let line = start + this.#scanned
    this.#scanned = 0
    for (;;) {
      const found = window.indexOf(this.#lineEnd, line)
      const end = found < 0 ? window.length : found
      const next = found < 0 ? end : end + 1
      if (this.#state === 'header' && next - start > this.#maxHeaderBytes) {
        const bodyAt = this.#cutHeader(window, start)
        if (bodyAt >= 0) return bodyAt
      }
      if (found < 0 && !final) return this.#holdHeader(window, start, line)
      if (this.#lineStart || line > start) {
        if (this.#isEmpty(window, line, end)) return this.#endHeader(window, start, line, next)
        const match =
          window[line] === dash && window[line + 1] === dash ? this.#delimiters.match(window, line, end) : null
        if (match !== null) {
          const bodyAt = this.#endHeader(window, start, line, line)
          return bodyAt < line ? bodyAt : this.#atDelimiter(match, line, next)
        }
      }
      if (found < 0) return this.#endHeader(window, start, end, end)
      line = next
    }
  }

  /** Line breaks that were converted twice have more than one carriage return. */
  #isEmpty(window: Buffer, line: number, end: number): boolean {
    let at = line
    while (at < end && window[at] === this.#beside) at++
    return at === end
  }

  #holdHeader(window: Buffer, start: number, line: number): number {
    if (this.#state === 'header') {
      this.#scanned = line - start
      this.#carry = window.subarray(start)
    } else if (window.length - line <= Math.max(2, this.#delimiters.maxLineLength)) {
      if (line > start) this.#lineStart = true
      this.#carry = window.subarray(line)
    } else {
      this.#lineStart = false
    }
    return -1
  }

  /** Hands over as much as the bound allows; returns where the body begins, -1 when the rest is to be skipped. */
  #cutHeader(window: Buffer, start: number): number {
    const limit = start + this.#maxHeaderBytes
    const lineFeed = window.lastIndexOf(this.#lineEnd, limit - 1)
    const block = window.subarray(start, lineFeed > start ? lineFeed + 1 : limit)
    const answer = this.#events.header(block, true)
    this.#enterBody(answer)
    if (answer.bodyAt >= 0) return start + answer.bodyAt
    this.#afterSkip = this.#state
    this.#state = 'skip'
    return -1
  }

  #afterSkip: State = 'leaf'

  /** Ends the block at `end`; returns where the body begins, `next` unless the block says otherwise. */
  #endHeader(window: Buffer, start: number, end: number, next: number): number {
    if (this.#state === 'skip') {
      this.#state = this.#afterSkip
      return next
    }
    const answer = this.#events.header(window.subarray(start, end), false)
    this.#enterBody(answer)
    return answer.bodyAt < 0 ? next : start + answer.bodyAt
  }

  #enterBody(answer: HeaderAnswer): void {
    if (answer.boundary !== null) this.#delimiters.open(answer.boundary)
    this.#state = answer.boundary === null ? 'leaf' : 'preamble'
  }

  /** Returns the offset after a delimiter line, or -1 when the window is used up. */
  #readContent(window: Buffer, start: number, final: boolean): number {
    if (this.#delimiters.depth === 0) {
      this.#emit(window, start, window.length)
      return window.length
    }
    let from = start
    while (from < window.length) {
      const line = findDelimiterLine(window, from, from > start || this.#lineStart, this.#lineEnd)
      if (line < 0) break
      if (line + 2 < window.length && !this.#delimiters.mayMatch(window, line)) {
        from = line + 2
        continue
      }
      const found = window.indexOf(this.#lineEnd, line)
      if (found < 0 && !final) break
      const end = found < 0 ? window.length : found
      const match = this.#delimiters.match(window, line, end)
      if (match !== null) {
        this.#emit(window, start, this.#lineBreakBefore(window, start, line))
        return this.#atDelimiter(match, line, Math.min(end + 1, window.length))
      }
      from = end + 1
    }
    if (final) this.#emit(window, start, window.length)
    else this.#holdContent(window, start)
    return -1
  }

  /** Emits all but what may turn out to be a delimiter and the line break before it. */
  #holdContent(window: Buffer, start: number): void {
    const line = Math.max(start, window.lastIndexOf(this.#lineEnd) + 1)
    const length = window.length - line
    const beginsLine = line > start || this.#lineStart
    const mayDelimit =
      length === 0 ||
      (window[line] === dash &&
        (length === 1 || (window[line + 1] === dash && length <= this.#delimiters.maxLineLength)))
    let end = window.length
    if (beginsLine && mayDelimit) end = this.#lineBreakBefore(window, start, line)
    else if (window[end - 1] === this.#beside) end--
    this.#emit(window, start, end)
    this.#carry = window.subarray(end)
    if (end > start || end < line) this.#lineStart = false
  }

  #emit(window: Buffer, start: number, end: number): void {
    if (end > start && this.#state !== 'epilogue') this.#events.content(window.subarray(start, end))
  }

  /** `line` is where the delimiter line begins, `next` where it has ended; returns where to go on. */
  #atDelimiter(match: Match, line: number, next: number): number {
    this.#endLeaf()
    while (this.#delimiters.depth - 1 > match.level) this.#closeMultipart(false)
    if (match.closing) {
      this.#closeMultipart(true)
      this.#state = 'epilogue'
      return next
    }
    if (this.#parts >= this.#maxParts) {
      while (this.#delimiters.depth > 0) this.#closeMultipart(true)
      this.#events.rest()
      this.#state = 'leaf'
      return line
    }
    this.#parts++
    this.#state = 'header'
    return next
  }

  #endLeaf(): void {
    if (this.#state === 'leaf') this.#events.endPart()
    this.#state = 'epilogue'
  }

  #closeMultipart(closed: boolean): void {
    this.#delimiters.close()
    this.#events.endMultipart(closed)
  }

  /** Where the line break in front of `line` begins, but not before `start`. */
  #lineBreakBefore(window: Buffer, start: number, line: number): number {
    let at = line
    if (at > start && window[at - 1] === this.#lineEnd) at--
    if (at < line && at > start && window[at - 1] === this.#beside) at--
    return at
  }
}
