/** Results are recorded once whatever Kafka's answers come to, and what a mail needs may be missing for a while. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { describe, test } from 'node:test'
import { startFakeS3, type Fault } from '../support/fake-s3.ts'
import { KafkaProxy, type Api } from '../support/kafka-proxy.ts'
import { ofRequest, startSending } from '../support/sending.ts'
import { testServers } from '../support/servers.ts'
import { startScriptServer } from '../support/smtp-script-server.ts'

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

  void test('an object that is not what its reference promises rejects the request, whether it is signed or not', async (t) => {
    const s3 = await startFakeS3(t)
    s3.objects.set('/mail/a.pdf', { content: Buffer.from('the content'), headers: {} })
    const { endpoint, region, bucket } = s3.config
    const storage = { endpoint, region, bucket, prefix: 'x', accessKeyId: 'test', secretAccessKey: 'testtest' }
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const server = await startScriptServer(t)
    const smtp = { host: '127.0.0.1', port: server.port, security: 'none', from: 'signed@example.com' }
    const dkim = { domain: 'example.com', selector: 's', privateKeyFile: 'dkim.pem' }
    const sending = await startSending(t, {
      settings: { storage },
      accounts: { signed: { smtp: { ...smtp, dkim } } },
      files: { 'dkim.pem': privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() },
    })
    const worker = await sending.startWorker()
    const object = { bucket: 'mail', key: 'a.pdf', versionId: null, size: null, sha256: null }
    const wrong = { size: { size: 12 }, hash: { sha256: '0'.repeat(64) } }
    const requests = Object.entries(wrong).flatMap(([what, change]) =>
      (['AT_LEAST_ONCE', 'AT_MOST_ONCE'] as const).flatMap((delivery) =>
        ['main', 'signed'].map((account) => ({
          id: `${what}-${delivery}-${account}`,
          account,
          delivery,
          attachments: [{ fileName: 'a.pdf', content: { ...object, ...change } }],
        })),
      ),
    )
    await sending.send(...requests)
    const results = await worker.until(sending.results(8))
    assert.deepEqual(
      results.map(({ id, status, attempt, error }) => [id, status, attempt, error?.code]).sort(),
      requests.map(({ id }) => [id, 'REJECTED', 0, 'STORAGE_OBJECT_CHANGED']).sort(),
    )
    assert.equal((await sending.cluster.take(sending.config.kafka.topics.deadLetters, 8)).length, 8)
    const repaired = requests.map((request) => ({ ...request, attachments: [{ fileName: 'a.pdf', content: object }] }))
    await sending.send(...repaired)
    assert.equal((await sending.delivered(8)).length, 16, 'the ids are free again')
    assert.equal(sending.server.mails.length + server.mails.length, 8)
    assert.equal(await worker.stop(), 0)
  })
})
