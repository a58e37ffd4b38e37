/**
 * The port to where attachments and other big parts of mail are kept.
 *
 * It is narrow on purpose, so that another client or another store can take its place; the suite in
 * `test/contract/attachment-store.ts` says what each must do. Every failure is a `PosthornError` (`STORAGE_*`).
 */

import type { Readable } from 'node:stream'

/** What an object carries besides its bytes. */
export interface ObjectHead {
  readonly key: string
  /** As the mail says; made safe for a header here. */
  readonly contentType: string
  /** As the mail says; made safe here. Null: none. */
  readonly fileName: string | null
}

export interface StoredObject {
  readonly bucket: string
  readonly key: string
  /** Null: the bucket keeps no versions. */
  readonly versionId: string | null
  readonly size: number
  /** Lower-case hex. */
  readonly sha256: string
}

/** An object that somebody names; what is not null is checked. */
export interface ObjectReference {
  readonly bucket: string
  readonly key: string
  readonly versionId: string | null
  readonly size: number | null
  readonly sha256: string | null
}

export interface AttachmentStore {
  /**
   * Stores bytes that are in memory, over those of an earlier attempt.
   * @param object `sha256` of the content, lower-case hex; the store checks it.
   */
  put(object: ObjectHead & { readonly content: Buffer; readonly sha256: string }): Promise<StoredObject>
  /**
   * Stores content of any length in bounded memory. When it throws, no part of an upload is left; at worst the
   * whole object without its hash beside it, which the next attempt overwrites. What the content's own source throws is
   * thrown as it is.
   */
  putStream(object: ObjectHead & { readonly content: AsyncIterable<Uint8Array> }): Promise<StoredObject>
  /**
   * Opens an object for reading, from `readableBuckets` only. The stream must be read or destroyed. It fails at its end
   * where the bytes are not those that the reference promises.
   * @throws PosthornError `STORAGE_BUCKET_NOT_ALLOWED`, `STORAGE_OBJECT_MISSING`, …
   */
  open(reference: ObjectReference): Promise<Readable>
  /** Puts, gets and deletes a probe; throws what went wrong. */
  check(): Promise<void>
  close(): void
}
