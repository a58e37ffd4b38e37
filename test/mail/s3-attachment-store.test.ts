import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { describe, it, type TestContext } from 'node:test'

import { isPosthornError } from '../../src/errors.ts'
import { createS3AttachmentStore, type S3StoreOptions } from '../../src/mail/s3-attachment-store.ts'
import { attachmentStoreSuite, inChunks, patterned, refusedWith, sha256 } from '../contract/attachment-store.ts'
import { startFakeS3, storageConfig, type Fault, type FakeS3 } from '../support/fake-s3.ts'

attachmentStoreSuite('the attachment store on the fake server', async (t) => {
  const fake = await startFakeS3(t)
  return fake.config
})

const partBytes = 5 * 1024 * 1024

const opened = async (t: TestContext, options: Partial<S3StoreOptions> = {}) => {
  const fake = await startFakeS3(t)
  const store = createS3AttachmentStore(fake.config, { partBytes, ...options })
  t.after(() => store.close())
  return { fake, store }
}

/** The fault for the first so many requests that match. */
const first = (times: number, pattern: RegExp, fault: Fault): FakeS3['fault'] => {
  let left = times
  return (request) => {
    if (!pattern.test(request) || left === 0) return null
    left -= 1
    return fault
  }
}

const small = {
  key: 'k',
  content: Buffer.from('x'),
  sha256: sha256(Buffer.from('x')),
  contentType: 'a/b',
  fileName: null,
}
const big = (content = patterned(3 * partBytes)) => ({
  key: 'big',
  contentType: 'a/b',
  fileName: null,
  content: inChunks(content, 700_001),
})
const named = { bucket: 'mail', key: 'k', versionId: null, size: null, sha256: null }

describe('faults of the object store', () => {
  for (const fault of ['reset', { status: 503, code: 'SlowDown' }, { status: 500, code: 'InternalError' }] as const) {
    it(`are passed over when they end in time: ${JSON.stringify(fault)}`, async (t) => {
      const { fake, store } = await opened(t)
      fake.fault = first(2, /^PUT/, fault)
      await store.put(small)
      assert.equal(fake.requests.length, 3)
      fake.fault = first(2, /partNumber=2/, fault)
      const stored = await store.putStream(big())
      assert.ok(fake.objects.get('/mail/big')?.content.equals(patterned(3 * partBytes)))
      assert.equal(stored.size, 3 * partBytes)
    })
  }

  it('end in a code that says whether to try again', async (t) => {
    const { fake, store } = await opened(t, { attempts: 2 })
    fake.fault = () => ({ status: 503, code: 'SlowDown' })
    await assert.rejects(
      store.put(small),
      (error) => refusedWith('STORAGE_FAILED')(error) && isPosthornError(error) && error.retryable,
    )
    assert.equal(fake.requests.length, 2)
    fake.fault = () => ({ status: 403, code: 'SignatureDoesNotMatch' })
    await assert.rejects(
      store.check(),
      (error) => refusedWith('STORAGE_ACCESS_DENIED')(error) && isPosthornError(error) && !error.retryable,
    )
    fake.fault = () => 'reset'
    await assert.rejects(store.open(named), refusedWith('STORAGE_UNREACHABLE'))
  })

  it('never wait for ever for a server that says nothing', async (t) => {
    const { fake, store } = await opened(t, { attempts: 1, stallMs: 200 })
    fake.fault = () => 'stall'
    await assert.rejects(store.put(small), refusedWith('STORAGE_UNREACHABLE'))
    fake.objects.set('/mail/k', { content: patterned(100_000), headers: {} })
    const stream = await store.open(named)
    await assert.rejects(buffer(stream), refusedWith('STORAGE_UNREACHABLE'))
  })

  it('show when an object ends too early', async (t) => {
    const { fake, store } = await opened(t, { attempts: 1 })
    fake.objects.set('/mail/k', { content: patterned(1_000_000), headers: {} })
    fake.fault = () => 'cut'
    const stream = await store.open(named)
    await assert.rejects(buffer(stream), refusedWith('STORAGE_UNREACHABLE'))
  })

  it('that nobody answers are named', async (t) => {
    const listener = createServer().listen(0, '127.0.0.1')
    await once(listener, 'listening')
    const { port } = listener.address() as AddressInfo
    listener.close()
    await once(listener, 'close')
    const store = createS3AttachmentStore(storageConfig(`http://127.0.0.1:${port}`), { attempts: 2 })
    t.after(() => store.close())
    await assert.rejects(store.check(), (error) => {
      assert.ok(refusedWith('STORAGE_UNREACHABLE')(error) && isPosthornError(error))
      assert.match(error.message, /put in bucket mail failed: nothing listens there \(ECONNREFUSED\)/)
      assert.match(error.action ?? '', /storage\.endpoint/)
      return true
    })
  })
})

async function* failing(): AsyncGenerator<Buffer> {
  yield patterned(partBytes)
  throw new Error('source')
}

describe('a stream that fails on the way up', () => {
  const steps: [string, RegExp][] = [
    ['at the first part', /partNumber=1/],
    ['at the second part', /partNumber=2/],
    ['at the end', /^POST .*uploadId=/],
  ]
  for (const [title, pattern] of steps) {
    it(`${title} leaves no part behind`, async (t) => {
      const { fake, store } = await opened(t, { attempts: 1 })
      fake.fault = (request) => (pattern.test(request) ? { status: 400, code: 'InvalidPart' } : null)
      await assert.rejects(store.putStream(big()), refusedWith('STORAGE_FAILED'))
      assert.equal(fake.uploads.size, 0)
      assert.equal(fake.objects.size, 0)
    })
  }

  it('waits for the part in flight before it aborts', async (t) => {
    const { fake, store } = await opened(t)
    await assert.rejects(store.putStream({ ...big(), content: failing() }), /source/)
    const order = fake.requests.map((request) => request.split(' ')[0])
    assert.deepEqual(order, ['GET', 'POST', 'PUT', 'DELETE'])
    assert.equal(fake.uploads.size, 0)
  })

  it('is cleaned up by the next attempt when the process was killed', async (t) => {
    const { fake, store } = await opened(t)
    fake.uploads.set('old', { path: '/mail/big', headers: {}, parts: new Map([[1, Buffer.from('x')]]) })
    fake.uploads.set('another', { path: '/mail/bigger', headers: {}, parts: new Map() })
    await store.putStream(big())
    assert.deepEqual([...fake.uploads.keys()], ['another'])
  })
})

describe('connections', () => {
  it('are never more than configured, however much is stored at once', async (t) => {
    const { fake, store } = await opened(t)
    fake.pauseMs = 5
    await Promise.all(Array.from({ length: 100 }, (_, index) => store.put({ ...small, key: `k${index}` })))
    assert.equal(fake.objects.size, 100)
    assert.equal(fake.mostAtOnce, 8)
  })

  it('are not held by an upload that waits for its source', { timeout: 10_000 }, async (t) => {
    const fake = await startFakeS3(t)
    const store = createS3AttachmentStore({ ...fake.config, connections: 1 }, { partBytes })
    t.after(() => store.close())
    async function* waiting(): AsyncGenerator<Buffer> {
      yield patterned(partBytes)
      await store.put(small)
      yield patterned(partBytes)
    }
    const stored = await store.putStream({ ...big(), content: waiting() })
    assert.equal(stored.size, 2 * partBytes)
    assert.equal(fake.mostAtOnce, 1)
  })

  it('are not cut while the reader pauses', async (t) => {
    const { fake, store } = await opened(t, { stallMs: 150, attempts: 1 })
    const content = patterned(20_000_000)
    fake.objects.set('/mail/k', { content, headers: {} })
    const chunks: Buffer[] = []
    for await (const chunk of await store.open(named)) {
      if (chunks.length === 1) await new Promise((resolve) => setTimeout(resolve, 600))
      chunks.push(chunk as Buffer)
    }
    assert.ok(Buffer.concat(chunks).equals(content))
  })

  it('are given up with a stream that nobody reads', { timeout: 10_000 }, async (t) => {
    const { fake, store } = await opened(t)
    fake.objects.set('/mail/k', { content: patterned(20_000_000), headers: {} })
    const stream = await store.open(named)
    stream.destroy()
    await fake.idle()
    assert.equal((await buffer(await store.open(named))).length, 20_000_000)
  })
})
