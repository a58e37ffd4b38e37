/** What every attachment store must do, run on the fake server and on real ones. */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { describe, it, type TestContext } from 'node:test'

import {
  CreateMultipartUploadCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3'

import type { StorageConfig } from '../../src/config/config.ts'
import { isPosthornError, type ErrorCode } from '../../src/errors.ts'
import type { AttachmentStore, ObjectReference, StoredObject } from '../../src/mail/attachment-store.ts'
import { createS3AttachmentStore } from '../../src/mail/s3-attachment-store.ts'

export const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex')

/** A pattern that shows a lost, doubled or swapped part. */
export const patterned = (length: number): Buffer => {
  const content = Buffer.allocUnsafe(length)
  for (let index = 0; index < length; index += 1) content[index] = (index * 31 + (index >> 10)) & 0xff
  return content
}

export async function* inChunks(content: Buffer, length: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < content.length; at += length) yield content.subarray(at, at + length)
}

export const refusedWith = (code: ErrorCode) => (error: unknown) => isPosthornError(error) && error.code === code

const partBytes = 5 * 1024 * 1024

const reference = (stored: StoredObject, changes: Partial<ObjectReference> = {}): ObjectReference => ({
  ...stored,
  ...changes,
})

const put = (store: AttachmentStore, key: string, content: Buffer, fileName: string | null = null) =>
  store.put({ key, content, sha256: sha256(content), contentType: 'application/pdf', fileName })

/**
 * @param start Gives a server with an empty bucket.
 * @param canListUploads Whether the server tells which uploads are unfinished.
 */
export const attachmentStoreSuite = (
  title: string,
  start: (t: TestContext) => Promise<StorageConfig>,
  { canListUploads = true } = {},
): void => {
  const opened = async (t: TestContext) => {
    const config = await start(t)
    const store = createS3AttachmentStore(config, { partBytes })
    const raw = new S3Client({
      endpoint: config.endpoint ?? '',
      region: config.region,
      forcePathStyle: true,
      credentials: { accessKeyId: config.accessKeyId ?? '', secretAccessKey: config.secretAccessKey?.reveal() ?? '' },
    })
    t.after(() => {
      store.close()
      raw.destroy()
    })
    const keys = async (): Promise<string[]> => {
      const { Contents } = await raw.send(new ListObjectsV2Command({ Bucket: config.bucket }))
      return (Contents ?? []).map(({ Key = '' }) => Key)
    }
    const unfinished = async (): Promise<number> => {
      const { Uploads } = await raw.send(new ListMultipartUploadsCommand({ Bucket: config.bucket }))
      return (Uploads ?? []).length
    }
    return { store, config, raw, keys, unfinished }
  }

  describe(title, () => {
    it('gives back the bytes that it was given, with type, name and hash beside them', async (t) => {
      const { store, config, raw } = await opened(t)
      const content = patterned(100_000)
      const stored = await put(store, 'attachments/a/INBOX/1/2/0-Übersicht.pdf', content, 'Übersicht.pdf')
      assert.deepEqual(stored, {
        bucket: config.bucket,
        key: 'attachments/a/INBOX/1/2/0-Übersicht.pdf',
        versionId: stored.versionId,
        size: 100_000,
        sha256: sha256(content),
      })
      assert.ok(content.equals(await buffer(await store.open(reference(stored)))))
      const head = await raw.send(new GetObjectCommand({ Bucket: stored.bucket, Key: stored.key }))
      assert.equal(head.ContentType, 'application/pdf')
      assert.match(head.ContentDisposition ?? '', /filename\*=UTF-8''%C3%9Cbersicht\.pdf/)
      assert.equal(head.Metadata?.['sha256'], sha256(content))
      await head.Body?.transformToByteArray()
    })

    it('stores the same object again over itself', async (t) => {
      const { store, keys } = await opened(t)
      await put(store, 'a/0-x', Buffer.from('one'))
      const second = await put(store, 'a/0-x', Buffer.from('two'))
      assert.equal((await buffer(await store.open(reference(second)))).toString(), 'two')
      assert.deepEqual(await keys(), ['a/0-x'])
    })

    it('takes keys with every character that a key can have, and empty content', async (t) => {
      const { store, keys } = await opened(t)
      const key = "p!_.*'()-/a%20b/Entw%C3%BCrfe~00/1/2/0-表格_ä.docx"
      const stored = await put(store, key, Buffer.alloc(0))
      assert.equal((await buffer(await store.open(reference(stored)))).length, 0)
      assert.deepEqual(await keys(), [key])
    })

    it('is not broken by a hostile type or name', async (t) => {
      const { store } = await opened(t)
      const content = Buffer.from('x')
      for (const [index, hostile] of [
        'text/plain\r\nx-amz-acl: public-read',
        '',
        'ü',
        'x'.repeat(10_000),
        '\0',
      ].entries()) {
        const stored = await store.put({
          key: `a/${index}`,
          content,
          sha256: sha256(content),
          contentType: hostile,
          fileName: hostile,
        })
        assert.equal((await buffer(await store.open(reference(stored)))).toString(), 'x')
      }
    })

    it('refuses content that has another hash than it was said to have', async (t) => {
      const { store, keys } = await opened(t)
      const wrong = {
        key: 'a',
        content: Buffer.from('x'),
        sha256: sha256(Buffer.from('y')),
        contentType: 'a/b',
        fileName: null,
      }
      await assert.rejects(store.put(wrong), isPosthornError)
      assert.deepEqual(await keys(), [])
    })

    for (const length of [0, 1, partBytes - 1, partBytes, partBytes + 1, 3 * partBytes, 3 * partBytes + 12_345]) {
      it(`streams ${length} bytes`, async (t) => {
        const { store, raw, keys, unfinished } = await opened(t)
        const content = patterned(length)
        const head = { key: 'a/INBOX/1/2/0-big.bin', contentType: 'video/mp4', fileName: 'big one.mp4' }
        const stored = await store.putStream({ ...head, content: inChunks(content, 1_000_003) })
        assert.equal(stored.size, length)
        assert.equal(stored.sha256, sha256(content))
        assert.ok(content.equals(await buffer(await store.open(reference(stored)))))
        const found = await raw.send(new GetObjectCommand({ Bucket: stored.bucket, Key: stored.key }))
        assert.equal(found.ContentType, 'video/mp4')
        assert.equal(found.ContentDisposition, 'attachment; filename="big one.mp4"')
        assert.equal(found.Metadata?.['sha256'], stored.sha256)
        await found.Body?.transformToByteArray()
        assert.deepEqual(await keys(), [head.key])
        if (canListUploads) assert.equal(await unfinished(), 0)
      })
    }

    it('leaves nothing of a stream whose source fails, and throws the source’s error', async (t) => {
      const { store, keys, unfinished } = await opened(t)
      const failure = new Error('the mailbox is gone')
      async function* failing(): AsyncGenerator<Buffer> {
        yield patterned(2 * partBytes + 1000)
        throw failure
      }
      const head = { key: 'a/0-cut', contentType: 'a/b', fileName: null }
      await assert.rejects(store.putStream({ ...head, content: failing() }), (error) => error === failure)
      assert.deepEqual(await keys(), [])
      if (canListUploads) assert.equal(await unfinished(), 0)
    })

    if (canListUploads) {
      it('cleans up what a killed process left of the same object', async (t) => {
        const { store, config, raw, unfinished } = await opened(t)
        const head = { key: 'a/INBOX/1/2/0-big.bin', contentType: 'a/b', fileName: null }
        await raw.send(new CreateMultipartUploadCommand({ Bucket: config.bucket, Key: head.key }))
        assert.equal(await unfinished(), 1)
        await store.putStream({ ...head, content: inChunks(patterned(2 * partBytes), 1_000_003) })
        assert.equal(await unfinished(), 0)
      })
    }

    it('says that an object is missing', async (t) => {
      const { store, config } = await opened(t)
      const missing = { bucket: config.bucket, key: 'gone', versionId: null, size: null, sha256: null }
      await assert.rejects(store.open(missing), refusedWith('STORAGE_OBJECT_MISSING'))
    })

    it('reads from no bucket that is not named, by no detour', async (t) => {
      const { store, config } = await opened(t)
      const named = { versionId: null, size: null, sha256: null }
      for (const bucket of ['other', '', `${config.bucket}/../other`, config.bucket.toUpperCase()]) {
        await assert.rejects(
          store.open({ ...named, bucket, key: 'k' }),
          refusedWith('STORAGE_BUCKET_NOT_ALLOWED'),
          bucket,
        )
      }
      for (const key of ['../other/k', 'a/../../other/k', '.', '']) {
        await assert.rejects(
          store.open({ ...named, bucket: config.bucket, key }),
          refusedWith('STORAGE_BUCKET_NOT_ALLOWED'),
          key,
        )
      }
    })

    it('fails at the end of a read whose bytes are not those promised', async (t) => {
      const { store } = await opened(t)
      const stored = await put(store, 'a/0-x', patterned(300_000))
      for (const changes of [{ size: 299_999 }, { sha256: sha256(Buffer.from('other')) }]) {
        await assert.rejects(
          async () => buffer(await store.open(reference(stored, changes))),
          refusedWith('STORAGE_OBJECT_CHANGED'),
        )
      }
      assert.equal((await buffer(await store.open(reference(stored, { size: null, sha256: null })))).length, 300_000)
    })

    it('checks itself and leaves no probe behind', async (t) => {
      const { store, keys } = await opened(t)
      await store.check()
      assert.deepEqual(await keys(), [])
    })

    it('says what to do about a bucket that is not there', async (t) => {
      const { config } = await opened(t)
      const store = createS3AttachmentStore({ ...config, bucket: 'not-there' })
      t.after(() => store.close())
      await assert.rejects(
        store.check(),
        (error) =>
          refusedWith('STORAGE_FAILED')(error) &&
          isPosthornError(error) &&
          /Create the bucket/.test(error.action ?? ''),
      )
    })
  })
}
