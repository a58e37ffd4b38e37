import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { attachmentMail } from '../../bench/receive/workload.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { defaultParseLimits } from '../../src/mail/parse/limits.ts'
import { createS3AttachmentStore } from '../../src/mail/s3-attachment-store.ts'
import { MessageStore } from '../../src/producers/store-message.ts'
import { startFakeS3 } from '../support/fake-s3.ts'

const place = { account: 'a', folder: 'INBOX', uidValidity: 1, uid: 2 }
const attachmentBytes = 12_000_000
/** Below it the two text parts together are a body of their own. */
const limits = { ...defaultParseLimits, maxInlineBodyBytes: 1_000 }

const opened = async (t: TestContext, keepRaw = true, hasAttachment: boolean | null = null) => {
  const fake = await startFakeS3(t)
  const store = createS3AttachmentStore(fake.config)
  t.after(() => store.close())
  return { fake, messages: new MessageStore({ store, prefix: 'p', limits, keepRaw, hasAttachment }) }
}

async function* inSlices(raw: Buffer, endsAt = raw.length): AsyncGenerator<Buffer> {
  for (let at = 0; at < endsAt; at += 1_048_576) yield raw.subarray(at, Math.min(endsAt, at + 1_048_576))
}

test('a streamed message comes out as one in memory does: record, attachment, body by reference, raw mail', async (t) => {
  const { raw, sha256 } = attachmentMail(1, seededRandom(3), attachmentBytes)
  const whole = await opened(t)
  const streamed = await opened(t)
  const fromMemory = await whole.messages.storeWhole(place, raw)
  let reads = 0
  const fromStream = await streamed.messages.storeStream(place, () => {
    reads += 1
    return inSlices(raw)
  })
  assert.equal(reads, 1)
  assert.deepEqual(fromStream, fromMemory)
  assert.ok(fromStream)
  assert.equal(fromStream.stored.attachments[0]?.sha256, sha256)
  assert.ok(fromStream.stored.text, 'the body is an object')
  assert.equal(fromStream.parsed.text, null)
  const contents = ({ objects }: typeof whole.fake) => new Map([...objects].map(([key, { content }]) => [key, content]))
  assert.deepEqual([...streamed.fake.objects.keys()].sort(), [...whole.fake.objects.keys()].sort())
  for (const [key, content] of contents(whole.fake)) assert.ok(contents(streamed.fake).get(key)?.equals(content), key)
  assert.ok(
    streamed.fake.requests.some((request) => request.includes('partNumber=2')),
    'in parts',
  )
})

test('a message that breaks off in the middle of an attachment leaves no upload behind', async (t) => {
  const { raw } = attachmentMail(1, seededRandom(3), attachmentBytes)
  const { fake, messages } = await opened(t)
  const lost = new Error('the connection is gone')
  async function* cut(): AsyncGenerator<Buffer> {
    yield* inSlices(raw, 9_000_000)
    throw lost
  }
  await assert.rejects(messages.storeStream(place, cut), (error) => error === lost)
  assert.ok(
    fake.requests.some((request) => request.includes('partNumber=1')),
    'one had begun',
  )
  assert.equal(fake.uploads.size, 0)
})

test('a message that can not be read in full keeps its raw bytes unasked, and no other does', async (t) => {
  const { fake, messages } = await opened(t, false)
  const lost = Buffer.from('Content-Type: multipart/mixed; boundary=a\r\n\r\n--b\r\n\r\nnowhere else\r\n')
  const fromMemory = await messages.storeWhole(place, lost)
  const fromStream = await messages.storeStream(place, () => inSlices(lost))
  assert.deepEqual(fromStream, fromMemory)
  const { bucket, key } = fromMemory?.stored.raw ?? {}
  assert.ok(fake.objects.get(`/${bucket}/${key}`)?.content.equals(lost))
  const whole = await messages.storeWhole(place, Buffer.from('Subject: all of it\r\n\r\nHello\r\n'))
  assert.equal(whole?.stored.raw, null)
})

for (const hasAttachment of [true, false]) {
  test(`of a message that is left out for ${hasAttachment ? 'having no' : 'its'} attachment nothing is stored`, async (t) => {
    const { fake, messages } = await opened(t, true, hasAttachment)
    const text = `Subject: x\r\n\r\n${'many words '.repeat(1_000)}\r\n`
    const { raw } = attachmentMail(1, seededRandom(3), 2_000_000)
    const [meant, other] = hasAttachment ? [raw, Buffer.from(text)] : [Buffer.from(text), raw]
    assert.equal(await messages.storeWhole(place, other), null)
    assert.equal(await messages.storeStream(place, () => inSlices(other)), null)
    assert.deepEqual(fake.requests, [])
    const fromMemory = await messages.storeWhole(place, meant)
    assert.ok(fromMemory)
    assert.deepEqual(await messages.storeStream(place, () => inSlices(meant)), fromMemory)
  })
}
