/**
 * Walks over the bytes of an Avro body without ever leaving them: whatever the bytes say, each step either stays
 * within the body or throws RECORD_UNDECODABLE. Nothing is allocated.
 */

import { isUtf8 } from 'node:buffer'

import { PosthornError } from '../errors.ts'

/** Array items and map entries in one record, over all of its arrays and maps: bounds what decoding allocates. */
const maxItems = 1_000_000
/** Records within records: bounds the stack, whatever schema the writer had. */
const maxDepth = 64
/** Largest zig-zag codes that avsc reads and writes exactly: it computes with doubles, and negative codes are odd. */
const maxPositiveCode = 2 * (Number.MAX_SAFE_INTEGER - 1)
const maxNegativeCode = Number.MAX_SAFE_INTEGER
/** Short strings are looked at here: the call into `isUtf8` costs more. */
const shortString = 24

export class BodyCursor {
  readonly #bytes: Buffer
  #position: number
  #items = 0
  #depth = 0

  constructor(bytes: Buffer, start: number) {
    this.#bytes = bytes
    this.#position = start
  }

  get position(): number {
    return this.#position
  }

  fail(path: string, what: string): never {
    const where = path === '' ? '' : ` at ${path}`
    throw new PosthornError('RECORD_UNDECODABLE', `the record's body is malformed${where}: ${what}`, {
      stage: 'decode',
      action: 'Have the producer write it with the schema that the record names.',
    })
  }

  enterRecord(path: string): void {
    if (++this.#depth > maxDepth) this.fail(path, `more than ${maxDepth} records within one another`)
  }

  leaveRecord(): void {
    this.#depth--
  }

  /** Takes a block's items into account before they are read. Each has at least one byte. */
  enterBlock(path: string, items: number): void {
    const left = this.#bytes.length - this.#position
    if (items > left) this.fail(path, `${items} items announced with ${left} bytes left`)
    this.#items += items
    if (this.#items > maxItems) this.fail(path, `more than ${maxItems} items in one record`)
  }

  skip(path: string, length: number): void {
    const left = this.#bytes.length - this.#position
    if (length < 0 || length > left) this.fail(path, `${length} bytes announced with ${left} left`)
    this.#position += length
  }

  /** A zig-zag variable-length number of at most 10 bytes, from -2^52 to 2^53 - 2. */
  long(path: string): number {
    const first = this.#bytes[this.#position]
    if (first !== undefined && first < 0x80) {
      this.#position++
      return (first >>> 1) ^ -(first & 1)
    }
    const negative = first !== undefined && (first & 1) === 1
    let code = 0
    let scale = 1
    for (let index = 0; index < 10; index++) {
      const byte = this.#bytes[this.#position]
      if (byte === undefined) this.fail(path, 'it ends within a number')
      this.#position++
      code += (byte & 0x7f) * scale
      scale *= 128
      if (byte >= 0x80) continue
      if (code > (negative ? maxNegativeCode : maxPositiveCode)) this.fail(path, 'a number too large to be exact')
      return negative ? -(code + 1) / 2 : code / 2
    }
    return this.fail(path, 'a number of more than 10 bytes')
  }

  int(path: string): void {
    const number = this.long(path)
    if (number !== (number | 0)) this.fail(path, 'a number beyond 32 bits')
  }

  boolean(path: string): void {
    const byte = this.#bytes[this.#position]
    if (byte !== 0 && byte !== 1) this.fail(path, 'neither true nor false')
    this.#position++
  }

  /** Index of a union's branch or an enum's symbol. */
  choice(path: string, choices: number): number {
    const index = this.long(path)
    if (index < 0 || index >= choices) this.fail(path, `choice ${index} of ${choices}`)
    return index
  }

  bytes(path: string): void {
    this.skip(path, this.long(path))
  }

  string(path: string): void {
    const length = this.long(path)
    const start = this.#position
    this.skip(path, length)
    if (!(length <= shortString && this.#isAscii(start)) && !isUtf8(this.#bytes.subarray(start, this.#position)))
      this.fail(path, 'text that is not UTF-8')
  }

  /** avsc reads maps into plain objects, which would drop an entry of this name without a word. */
  mapKey(path: string): void {
    const start = this.#position
    this.string(path)
    if (this.#position - start === 10 && this.#bytes.toString('latin1', start + 1, this.#position) === '__proto__')
      this.fail(path, 'an entry called __proto__')
  }

  end(): void {
    const left = this.#bytes.length - this.#position
    if (left !== 0) this.fail('', `${left} bytes left over`)
  }

  #isAscii(start: number): boolean {
    for (let index = start; index < this.#position; index++) if ((this.#bytes[index] ?? 0x80) >= 0x80) return false
    return true
  }
}
