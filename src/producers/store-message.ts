/** Takes one message apart and puts what is big into the object store; every object is there when this returns. */
import { createHash } from 'node:crypto'
import type { InboundAttachment, ObjectRef } from '../avro/records.ts'
import type { AttachmentStore, StoredObject } from '../mail/attachment-store.ts'
import type { AttachmentHead, BodyKind, ParsedMessage } from '../mail/message.ts'
import { attachmentKey, bodyKey, rawMessageKey, type MessagePlace } from '../mail/object-key.ts'
import { isLossy } from '../mail/parse/defects.ts'
import type { ParseLimits } from '../mail/parse/limits.ts'
import { parseMessageStream } from '../mail/parse/parse-message-stream.ts'
import { parseMessage } from '../mail/parse/parse-message.ts'
import type { StoredParts } from './build-inbound-message.ts'
import { openUpload, type Upload } from './open-upload.ts'

export interface MessageStoreOptions {
  store: AttachmentStore
  /** `storage.prefix`. */
  prefix: string
  limits: ParseLimits
  /** Keep the raw message always; one that can't be read in full keeps it anyway, so that nothing is lost. */
  keepRaw: boolean
  /** `select.hasAttachment`: only the parsed message can tell, and nothing of another is stored. Null: not asked. */
  hasAttachment: boolean | null
}

export interface StoredMessage {
  parsed: ParsedMessage
  stored: StoredParts
}

const toRef = ({ bucket, key, versionId, size, sha256 }: StoredObject): ObjectRef => ({
  bucket,
  key,
  versionId,
  size,
  sha256,
})

const toAttachment = (head: AttachmentHead, stored: StoredObject): InboundAttachment => {
  const { index, fileName, contentType, contentId, disposition } = head
  const { size, sha256 } = stored
  return { index, fileName, contentType, contentId, disposition, size, sha256, object: toRef(stored) }
}

const bodyTypes: Readonly<Record<BodyKind, string>> = {
  text: 'text/plain; charset=utf-8',
  html: 'text/html; charset=utf-8',
}

/** Reads up to the first attachment. */
const findsAttachment = async (content: AsyncIterable<Buffer>, limits: ParseLimits): Promise<boolean> => {
  const found = new Error('an attachment')
  const nowhere = { write: () => undefined, end: () => undefined, abort: () => undefined }
  try {
    await parseMessageStream(content, limits, {
      openAttachment: () => {
        throw found
      },
      openLargeBody: () => nowhere,
    })
    return false
  } catch (error) {
    if (error === found) return true
    throw error
  }
}

const mebibyte = 1_048_576

/** What passes through goes to the upload as well. */
async function* copyInto(upload: Upload, content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const bytes of content) {
    await upload.write(bytes)
    yield bytes
  }
}

export class MessageStore {
  readonly #options: MessageStoreOptions

  constructor(options: MessageStoreOptions) {
    this.#options = options
  }

  /** What one message holds while it is streamed: slices of it, and two parts of each object that is open. */
  get streamedBytes(): number {
    return (this.#options.keepRaw ? 34 : 24) * mebibyte
  }

  /**
   * @returns null: it is not of those that were asked for
   * @throws PosthornError `MESSAGE_UNPARSABLE`, `STORAGE_*`
   */
  async storeWhole(place: MessagePlace, raw: Buffer): Promise<StoredMessage | null> {
    const { limits, hasAttachment } = this.#options
    const { message, attachments, largeBodies } = parseMessage(raw, limits)
    if (hasAttachment !== null && attachments.length > 0 !== hasAttachment) return null
    const [stored, kept, bodies] = await Promise.all([
      Promise.all(
        attachments.map(async (one) =>
          toAttachment(one, await this.#put(this.#attachmentHead(place, one), one.content)),
        ),
      ),
      this.#keepsRaw(message) ? this.storeRaw(place, raw) : null,
      Promise.all(
        largeBodies.map(
          async ({ kind, content }) => [kind, toRef(await this.#put(this.#bodyHead(place, kind), content))] as const,
        ),
      ),
    ])
    return { parsed: message, stored: { attachments: stored, raw: kept, ...Object.fromEntries(bodies) } }
  }

  /**
   * The same in bounded memory.
   *
   * @param open begins to read the message from its start; called once more for `hasAttachment`, and where the message
   *   turns out to be one whose raw bytes have to be kept
   */
  async storeStream(place: MessagePlace, open: () => AsyncIterable<Buffer>): Promise<StoredMessage | null> {
    const { store, limits, keepRaw, hasAttachment } = this.#options
    if (hasAttachment !== null && (await findsAttachment(open(), limits)) !== hasAttachment) return null
    const uploads: { head: AttachmentHead | BodyKind; upload: Upload }[] = []
    const begin = (head: AttachmentHead | BodyKind) => {
      const object = typeof head === 'string' ? this.#bodyHead(place, head) : this.#attachmentHead(place, head)
      const upload = openUpload(store, object)
      uploads.push({ head, upload })
      return upload
    }
    // Read once where it is known from the start that all of it is kept.
    const whole = keepRaw ? openUpload(store, this.#rawHead(place)) : null
    const source = whole === null ? open() : copyInto(whole, open())
    const parsed = await parseMessageStream(source, limits, { openAttachment: begin, openLargeBody: begin }).catch(
      async (error: unknown) => {
        await whole?.abort(error)
        throw error
      },
    )
    await whole?.end()
    const attachments: InboundAttachment[] = []
    const bodies: { text?: ObjectRef; html?: ObjectRef } = {}
    for (const { head, upload } of uploads) {
      const stored = await upload.stored
      if (typeof head === 'string') bodies[head] = toRef(stored)
      else attachments.push(toAttachment(head, stored))
    }
    const kept = whole === null ? null : toRef(await whole.stored)
    const raw = kept ?? (this.#keepsRaw(parsed) ? await this.storeRawStream(place, open()) : null)
    return { parsed, stored: { attachments, raw, ...bodies } }
  }

  #keepsRaw({ defects }: ParsedMessage): boolean {
    return this.#options.keepRaw || isLossy(defects)
  }

  async storeRaw(place: MessagePlace, raw: Buffer): Promise<ObjectRef> {
    return toRef(await this.#put(this.#rawHead(place), raw))
  }

  async storeRawStream(place: MessagePlace, content: AsyncIterable<Buffer>): Promise<ObjectRef> {
    return toRef(await this.#options.store.putStream({ ...this.#rawHead(place), content }))
  }

  #put(head: { key: string; contentType: string; fileName: string | null }, content: Buffer): Promise<StoredObject> {
    const sha256 = createHash('sha256').update(content).digest('hex')
    return this.#options.store.put({ ...head, content, sha256 })
  }

  #attachmentHead(place: MessagePlace, { index, fileName, contentType }: AttachmentHead) {
    return { key: attachmentKey(this.#options.prefix, place, { index, fileName }), contentType, fileName }
  }

  #bodyHead(place: MessagePlace, kind: BodyKind) {
    return { key: bodyKey(this.#options.prefix, place, kind), contentType: bodyTypes[kind], fileName: null }
  }

  #rawHead(place: MessagePlace) {
    return { key: rawMessageKey(this.#options.prefix, place), contentType: 'message/rfc822', fileName: null }
  }
}
