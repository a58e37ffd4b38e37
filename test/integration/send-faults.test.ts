/** Results are recorded once whatever Kafka's answers come to, and what a mail needs may be missing for a while. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startFakeS3, type Fault } from '../support/fake-s3.ts'
import { KafkaProxy, type Api } from '../support/kafka-proxy.ts'
import { ofRequest, startSending } from '../support/sending.ts'
import { testServers } from '../support/servers.ts'

const apis: Api[] = ['Produce', 'AddPartitionsToTxn', 'AddOffsetsToTxn', 'TxnOffsetCommit', 'EndTxn']

void describe('sending through faults', { concurrency: 2 }, () => {
  void test('a lost answer of Kafka at any step of a commit neither loses nor repeats a result', async (t) => {
    const { brokers } = await testServers()
    const proxy = await KafkaProxy.start(t, brokers[0] ?? assert.fail())
    const sending = await startSending(t, { brokers: proxy.brokers, settings: { send: { concurrency: 4 } } })
    const worker = await sending.startWorker()
    let sent = 0
    for (const api of apis) {
      for (const fault of ['lose-response', 'lose-request'] as const) {
        const struck = proxy.next(api, fault)
        await sending.send(...[0, 1, 2, 3].map((index) => ({ id: `${api}-${fault}-${index}` })))
        await struck
        sent += 4
        await sending.results(sent)
      }
    }
    assert.equal(await worker.stop(), 0)
    const results = await sending.allResults()
    assert.equal(results.length, sent)
    assert.deepEqual([...new Set(results.map(({ status }) => status))], ['DELIVERED'])
    assert.equal(sending.server.mails.length, sent, 'no mail was sent again')
  })

  void test('an object store that is down defers the request, a missing object rejects it', async (t) => {
    const s3 = await startFakeS3(t)
    let fault: Fault = { status: 503, code: 'SlowDown' }
    s3.fault = () => fault
    s3.objects.set('/mail/there.pdf', { content: Buffer.from('the content'), headers: {} })
    const { endpoint, region, bucket } = s3.config
    const storage = { endpoint, region, bucket, prefix: 'x', accessKeyId: 'test', secretAccessKey: 'testtest' }
    const sending = await startSending(t, { settings: { storage } })
    const worker = await sending.startWorker()
    const attach = (key: string) => [
      { fileName: 'a.pdf', content: { bucket: 'mail', key, versionId: null, size: null, sha256: null } },
    ]
    await sending.send({ id: 'there', attachments: attach('there.pdf') })
    const [deferred] = await sending.results(1)
    assert.equal(deferred?.status, 'DEFERRED')
    assert.match(deferred?.error?.code ?? '', /^STORAGE_/)
    fault = null
    await sending.send({ id: 'missing', attachments: attach('missing.pdf') })
    const results = await sending.results(3)
    const [missing] = ofRequest(results, 'missing')
    assert.deepEqual([missing?.status, missing?.error?.code], ['REJECTED', 'STORAGE_OBJECT_MISSING'])
    assert.equal(ofRequest(results, 'there').at(-1)?.status, 'DELIVERED')
    const content = Buffer.from('the content').toString('base64')
    assert.ok(sending.server.mails[0]?.content.includes(content))
    assert.equal(await worker.stop(), 0)
  })
})
