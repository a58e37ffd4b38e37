/**
 * Takes the answers of a FETCH out of what the IMAP client reads, in front of its parser: for each message that parser
 * copies the content once more and runs through a dozen promises, which cost more than all that Posthorn does with a small one.
 *
 * Only complete answers that are awaited and that `readFetchLine` understands are taken. Every other byte goes on to the
 * client, unchanged and in order, so that the client sends the command, knows when it has ended, why it failed, and hands
 * over what was left to it.
 *
 * States: off (nobody awaits anything: bytes pass) → on, from a chunk that begins where a response begins, as the client's
 * parser tells → off, at the end of a response. On, lines are held until they are complete; of an answer that is being
 * taken everything is, since its last line may tell that it is the client's after all.
 *
 * The seam: `_transform` of the client's parser is replaced on that one object.
 */
import type { ImapFlow } from 'imapflow'
import type { TransformCallback } from 'node:stream'
import { readFetchLine, type FetchAnswer, type LiteralName } from './fetch-answer.ts'

const transform = '_transform'
type Transform = (chunk: Buffer, encoding: BufferEncoding, next: TransformCallback) => void

interface ClientParser extends Record<typeof transform, Transform> {
  state: number
  lineBytes: number
  inputBuffer: readonly unknown[]
  inputQueue: readonly unknown[]
  activeInput: unknown
}

/** The parser is in a line, not in a literal. */
const inLine = 1
const none = Buffer.alloc(0)
const lf = 10
const cr = 13
/** Longer literals and lines are the client's, which has bounds of its own. */
const maxLiteralBytes = 16 * 1_048_576
const maxLineBytes = 64 * 1_024

interface Literal {
  name: LiteralName
  bytes: number
  /** Null: nothing of it has come. */
  content: Buffer | null
}

/** @returns whether it takes the answer */
export type Taker = (answer: FetchAnswer) => boolean

export class FetchTap {
  readonly #parser: ClientParser
  readonly #pass: Transform
  #taker: Taker | null = null
  #isOn = false
  /** The beginning of a line. */
  #held: Buffer[] = []
  #heldBytes = 0
  /** What has come of an answer that may be taken, as it came; empty: none is open. */
  #pieces: Buffer[] = []
  #answer: FetchAnswer = {}
  /** Whether a response that is not taken goes on after the open literal. */
  #isForeignOpen = false
  #literal: Literal | null = null
  /** Bytes of the open literal that are still to come. */
  #missing = 0

  constructor(flow: ImapFlow) {
    this.#parser = (flow as unknown as { streamer: ClientParser }).streamer
    this.#pass = this.#parser[transform].bind(this.#parser)
    this.#parser[transform] = (chunk, encoding, next) => this.#transform(chunk, encoding, next)
  }

  /** @param taker null: no answer is awaited */
  offerTo(taker: Taker | null): void {
    this.#taker = taker
  }

  #transform(chunk: Buffer, encoding: BufferEncoding, next: TransformCallback): void {
    if (!this.#isOn && this.#taker !== null) this.#isOn = this.#isAtBoundary()
    if (!this.#isOn) return this.#pass(chunk, encoding, next)
    const passed: Buffer[] = []
    this.#read(chunk, passed)
    if (passed.length === 0) next()
    else this.#pass(passed.length === 1 ? (passed[0] ?? chunk) : Buffer.concat(passed), encoding, next)
  }

  /** A chunk comes only when the one before is done with, so that this tells where it begins. */
  #isAtBoundary(): boolean {
    const { state, lineBytes, inputBuffer, inputQueue, activeInput } = this.#parser
    return (
      state === inLine &&
      lineBytes === 0 &&
      inputBuffer.length === 0 &&
      inputQueue.length === 0 &&
      (activeInput ?? null) === null
    )
  }

  #read(chunk: Buffer, passed: Buffer[]): void {
    for (let at = 0; at < chunk.length;) {
      if (!this.#isOn) {
        passed.push(chunk.subarray(at))
        return
      }
      if (this.#missing > 0) at = this.#readLiteral(chunk, at, passed)
      else at = this.#readLine(chunk, at, passed)
    }
  }

  #readLiteral(chunk: Buffer, at: number, passed: Buffer[]): number {
    const end = Math.min(chunk.length, at + this.#missing)
    const literal = this.#literal
    if (literal === null) passed.push(chunk.subarray(at, end))
    else if (end - at === literal.bytes) literal.content = chunk.subarray(at, end)
    else {
      literal.content ??= Buffer.allocUnsafe(literal.bytes)
      chunk.copy(literal.content, literal.bytes - this.#missing, at, end)
    }
    this.#missing -= end - at
    if (this.#missing === 0 && literal !== null) this.#endLiteral(literal)
    return end
  }

  #endLiteral({ name, content }: Literal): void {
    this.#answer[name] = content ?? none
    this.#pieces.push(content ?? none)
    this.#literal = null
  }

  #readLine(chunk: Buffer, at: number, passed: Buffer[]): number {
    const found = chunk.indexOf(lf, at)
    const end = found < 0 ? chunk.length : found + 1
    const piece = chunk.subarray(at, end)
    if (found >= 0) {
      this.#takeLine(this.#held.length === 0 ? piece : Buffer.concat([...this.#held, piece]), passed)
      this.#held = []
      this.#heldBytes = 0
    } else {
      this.#held.push(piece)
      this.#heldBytes += piece.length
      if (this.#heldBytes > maxLineBytes) this.#giveUp(passed)
    }
    return end
  }

  /** The client's parser tells when the next response begins. */
  #giveUp(passed: Buffer[]): void {
    passed.push(...this.#pieces, ...this.#held)
    this.#pieces = []
    this.#held = []
    this.#heldBytes = 0
    this.#isForeignOpen = false
    this.#isOn = false
  }

  #takeLine(line: Buffer, passed: Buffer[]): void {
    const isFirst = this.#pieces.length === 0
    if (this.#isForeignOpen || (isFirst && this.#taker === null)) return this.#passLine(line, passed)
    if (isFirst) this.#answer = {}
    const end = line.length - (line.at(-2) === cr ? 2 : 1)
    const meaning = readFetchLine(line.toString('latin1', 0, end), isFirst, this.#answer)
    if (meaning.kind === 'literal' && meaning.bytes <= maxLiteralBytes) {
      const { name, bytes } = meaning
      this.#pieces.push(line)
      this.#missing = bytes
      this.#literal = { name, bytes, content: null }
      if (bytes === 0) this.#endLiteral(this.#literal)
    } else if (meaning.kind === 'end' && this.#taker?.(this.#answer) === true) {
      this.#pieces = []
      this.#isOn = this.#taker !== null
    } else this.#passLine(line, passed)
  }

  /** As the client's parser sees it: any line whose end looks like a literal's beginning is followed by one. */
  #passLine(line: Buffer, passed: Buffer[]): void {
    passed.push(...this.#pieces, line)
    this.#pieces = []
    const bytes = /\{(\d+)\}\r?\n$/.exec(line.toString('latin1'))?.[1]
    this.#isForeignOpen = bytes !== undefined
    this.#missing = Number(bytes ?? 0)
    this.#isOn = this.#taker !== null || this.#isForeignOpen
  }
}
