/**
 * Content of unknown length → one object, in memory for two parts: while one is sent, the next fills.
 *
 * Content that fits into one part is put whole. Longer content goes up as a multipart upload, driven by hand:
 *
 *     begin → part 1 → … → part n → complete → label
 *        └───────┴────────────┴───────┴→ abort, when anything fails
 *
 * Nothing is left behind by a failure: the abort waits for the part in flight, which would be stranded if it arrived
 * after it. An upload that a killed process left is aborted by the next one of the same key. The hash is known only at
 * the end, when an upload's metadata can no longer be set; `label` sets it afterwards, before anyone is told the key.
 */

import { createHash } from 'node:crypto'

import { cutParts } from './cut-parts.ts'
import type { PartBuffers } from './part-buffers.ts'

export interface UploadPort {
  putWhole(content: Buffer, sha256: string): Promise<string | null>
  /** Aborts what an earlier attempt left of this key, best effort, and begins anew. */
  begin(): Promise<string>
  /** @param number From 1. @returns The part's entity tag. */
  putPart(uploadId: string, number: number, content: Buffer): Promise<string>
  complete(uploadId: string, tags: readonly string[]): Promise<string | null>
  abort(uploadId: string): Promise<void>
  /** Sets the metadata that was not known at the beginning. @returns The version that has it. */
  label(versionId: string | null, sha256: string): Promise<string | null>
}

export interface Uploaded {
  readonly versionId: string | null
  readonly size: number
  /** Lower-case hex. */
  readonly sha256: string
}

/**
 * @param buffers Of at least 5 MiB on real servers.
 * @throws What the content's source or the port throws, after the upload is aborted.
 */
export const uploadStream = async (
  content: AsyncIterable<Uint8Array>,
  port: UploadPort,
  buffers: PartBuffers,
): Promise<Uploaded> => {
  const hash = createHash('sha256')
  const tags: string[] = []
  const used: Buffer[] = []
  const take = (): Buffer => {
    const buffer = buffers.take()
    used.push(buffer)
    return buffer
  }
  let size = 0
  let uploadId: string | null = null
  let inFlight: Promise<void> = Promise.resolve()

  const sendPart = async (id: string, number: number, part: Buffer): Promise<void> => {
    tags[number - 1] = await port.putPart(id, number, part)
  }

  try {
    for await (const part of cutParts(content, take)) {
      hash.update(part)
      size += part.length
      if (uploadId === null && part.length < buffers.bytes) {
        const sha256 = hash.digest('hex')
        return { versionId: await port.putWhole(part, sha256), size, sha256 }
      }
      await inFlight
      uploadId ??= await port.begin()
      inFlight = sendPart(uploadId, tags.length + 1, part)
      // It is awaited before the next part, for its memory is used again then, and at the end; until then a failure must not count as unhandled.
      inFlight.catch(() => undefined)
    }
    await inFlight
    if (uploadId === null) throw new Error('unreachable: there is always a part')
    const completed = await port.complete(uploadId, tags)
    uploadId = null
    const sha256 = hash.digest('hex')
    return { versionId: await port.label(completed, sha256), size, sha256 }
  } catch (error) {
    if (uploadId !== null) {
      await inFlight.catch(() => undefined)
      // The first failure is the one to report; what this one leaves, the next attempt aborts.
      await port.abort(uploadId).catch(() => undefined)
    }
    throw error
  } finally {
    // Nothing is in flight by now.
    for (const buffer of used) buffers.give(buffer)
  }
}
