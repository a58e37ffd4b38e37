import type { AttachmentStore, ObjectHead, StoredObject } from '../mail/attachment-store.ts'
import type { AttachmentSink } from '../mail/parse/parse-message-stream.ts'

/** A sink whose content goes to the object store as it comes. */
export interface Upload extends AttachmentSink {
  /** Settles after `end` or `abort`. */
  stored: Promise<StoredObject>
}

/** Turns the store's pull into the parser's push: `write` resolves when the store has taken the bytes. */
export const openUpload = (store: AttachmentStore, head: ObjectHead): Upload => {
  const channel = new TransformStream<Uint8Array, Uint8Array>()
  const writer = channel.writable.getWriter()
  // Ends with the upload's own failure, so a store that gives up does not leave the parser waiting.
  const stored = store.putStream({ ...head, content: channel.readable }).catch(async (error: unknown) => {
    await writer.abort(error).catch(() => undefined)
    throw error
  })
  stored.catch(() => undefined)
  writer.closed.catch(() => undefined)
  return {
    stored,
    write: async (bytes) => writer.write(bytes),
    end: async () => {
      await writer.close()
      await stored
    },
    abort: async (reason) => {
      await writer.abort(reason).catch(() => undefined)
      await stored.catch(() => undefined)
    },
  }
}
