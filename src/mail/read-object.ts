/**
 * The body of an object as a stream that fails loudly: on a stall, on a cut, and at the end when the bytes are not
 * those that were promised.
 *
 * The stall is measured only while the reader wants bytes. A reader that pauses, such as an SMTP server that takes its
 * time, may pause as long as it likes.
 */

import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'

export interface ReadPromise {
  /** Null: not known. */
  readonly size: number | null
  /** Lower-case hex. Null: not known. */
  readonly sha256: string | null
}

export interface ReadOptions {
  readonly stallMs: number
  /** Turns what the connection threw into the error that the reader sees. */
  readonly classify: (error: unknown) => Error
  /** The error for bytes that are not those promised. */
  readonly mismatch: (what: string) => Error
}

export const readObject = (body: Readable, promise: ReadPromise, options: ReadOptions): Readable => {
  const hash = promise.sha256 === null ? null : createHash('sha256')
  const chunks = body[Symbol.asyncIterator]()
  let size = 0

  const next = async (): Promise<Buffer | null> => {
    const stalled = Object.assign(new Error('the object store sends nothing'), { name: 'TimeoutError' })
    const timer = setTimeout(() => body.destroy(stalled), options.stallMs)
    try {
      const result: IteratorResult<Buffer, unknown> = await chunks.next()
      return result.done === true ? null : result.value
    } catch (error) {
      throw options.classify(error)
    } finally {
      clearTimeout(timer)
    }
  }

  const check = (): void => {
    if (promise.size !== null && promise.size !== size) throw options.mismatch('size')
    if (hash !== null && hash.digest('hex') !== promise.sha256?.toLowerCase()) throw options.mismatch('sha256')
  }

  return new Readable({
    read() {
      next()
        .then((chunk) => {
          if (chunk === null) check()
          else {
            size += chunk.length
            hash?.update(chunk)
          }
          this.push(chunk)
        })
        .catch((error: unknown) => this.destroy(error instanceof Error ? error : new Error(String(error))))
    },
    destroy(error, done) {
      body.destroy()
      done(error)
    },
  })
}
