import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'

import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'

import type { StorageConfig } from '../../src/config/config.ts'
import { Secret } from '../../src/config/secret.ts'
import { createS3AttachmentStore } from '../../src/mail/s3-attachment-store.ts'
import { attachmentStoreSuite, refusedWith } from '../contract/attachment-store.ts'
import { storageConfig } from '../support/fake-s3.ts'
import { testServers, uniqueName } from '../support/servers.ts'

/** The real server with an empty bucket of the test's own. */
const startReal = async (t: TestContext): Promise<StorageConfig> => {
  const { endpoint, accessKeyId, secretAccessKey } = (await testServers()).s3
  const bucket = uniqueName('objects')
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  })
  t.after(() => client.destroy())
  await client.send(new CreateBucketCommand({ Bucket: bucket }))
  return storageConfig(endpoint, {
    bucket,
    readableBuckets: [bucket],
    accessKeyId,
    secretAccessKey: new Secret(secretAccessKey),
  })
}

attachmentStoreSuite('the attachment store on a real S3 server', startReal)

describe('the attachment store on a real S3 server', () => {
  it('says that the server refuses a wrong secret', async (t) => {
    const config = await startReal(t)
    const store = createS3AttachmentStore({ ...config, secretAccessKey: new Secret('wrong') })
    t.after(() => store.close())
    await assert.rejects(store.check(), refusedWith('STORAGE_ACCESS_DENIED'))
  })

  it('streams 150 MB up and down in the memory of a few parts', { timeout: 120_000 }, async (t) => {
    const store = createS3AttachmentStore(await startReal(t))
    t.after(() => store.close())
    const chunk = Buffer.alloc(256 * 1024, 0x61)
    const before = process.memoryUsage().rss
    let peak = before
    async function* content(): AsyncGenerator<Buffer> {
      for (let sent = 0; sent < 600; sent += 1) {
        peak = Math.max(peak, process.memoryUsage().rss)
        yield chunk
      }
    }
    const stored = await store.putStream({ key: 'big', contentType: 'a/b', fileName: null, content: content() })
    assert.equal(stored.size, 600 * chunk.length)
    let read = 0
    for await (const part of await store.open(stored)) {
      read += (part as Buffer).length
      peak = Math.max(peak, process.memoryUsage().rss)
    }
    assert.equal(read, stored.size)
    const grown = Math.round((peak - before) / 1024 ** 2)
    assert.ok(grown < 100, `${grown} MB more`)
  })
})
