/** `posthorn check` of Kafka, the registry and the object store, and within its time. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { takeNetworkSteps } from '../../src/check/check-network.ts'
import type { Check } from '../../src/check/check-result.ts'
import { runChecks } from '../../src/check/run-checks.ts'
import { createKafka } from '../../src/kafka/connect.ts'
import { createCertificates } from '../support/certificates.ts'
import { closedPort, planted, runCheck, silentPort, storageOf } from '../support/check-run.ts'
import { createTopic } from '../support/create-topic.ts'
import { startFakeS3 } from '../support/fake-s3.ts'
import { testServers, uniqueName } from '../support/servers.ts'
import { plainTls } from '../support/smtp-mail.ts'
import { startTlsFront } from '../support/tls-server.ts'

/** Drops whatever comes, as a firewall does. */
const blackhole = async (t: TestContext): Promise<number> => {
  const script = new URL('../support/python/full_backlog.py', import.meta.url).pathname
  const child = spawn('python3', [script], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.after(async () => {
    child.stdin.end()
    await once(child, 'exit')
  })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return Number(line.toString())
}

describe('posthorn check', () => {
  it('ends in time also where a firewall drops the packets, and where a server says nothing', async (t) => {
    const dropping = await blackhole(t)
    const silent = await silentPort(t)
    const began = performance.now()
    const probe = (port: number): Check => ({
      component: 'imap',
      account: String(port),
      run: (takeStep) =>
        takeNetworkSteps({ host: '127.0.0.1', port, security: 'tls', tls: plainTls }, 'imap', takeStep, Date.now),
    })
    const results = await runChecks([probe(dropping), probe(silent)], {
      timeoutMs: 1_500,
      concurrency: 2,
      signal: new AbortController().signal,
      now: () => performance.now(),
    })
    const failed = results.filter((result) => !result.ok)
    assert.deepEqual(
      failed.map(({ step, code }) => [step, code]),
      [
        ['tcp', 'IMAP_TIMEOUT'],
        ['tls', 'IMAP_TIMEOUT'],
      ],
    )
    for (const { action } of failed) assert.match(action ?? '', /firewall/)
    assert.ok(performance.now() - began < 15_000)
  })

  it('explains what is wrong with the object store', async (t) => {
    const fake = await startFakeS3(t)
    fake.fault = () => ({ status: 403, code: 'RequestTimeTooSkewed' })
    const skewed = { endpoint: fake.config.endpoint, bucket: 'mail', accessKeyId: 'test', secretAccessKey: planted }
    const down = { ...skewed, endpoint: `http://127.0.0.1:${await closedPort()}` }
    for (const [storage, code, action] of [
      [await storageOf({ bucket: uniqueName('nowhere') }), 'STORAGE_FAILED', /Create the bucket/],
      [await storageOf({ secretAccessKey: planted }), 'STORAGE_ACCESS_DENIED', /secretAccessKey/],
      [skewed, 'STORAGE_ACCESS_DENIED', /clock/],
      [down, 'STORAGE_UNREACHABLE', /storage\.endpoint/],
    ] as const) {
      const { code: exit, checks } = await runCheck(t, { storage })
      const last = checks.find(({ component }) => component === 'storage')
      assert.equal(exit, 1)
      assert.equal(last?.code, code, last?.message)
      assert.match(last?.action ?? '', action)
    }
  })

  it('reaches an object store over TLS, by the name in its certificate and with a client certificate', async (t) => {
    const { ca, server, misnamed, client } = createCertificates()
    const files = { 'ca.pem': ca, 'client.pem': client.cert, 'client.key': client.key }
    const plain = Number(new URL((await testServers()).s3.endpoint).port)
    const mutual = { requestCert: true, rejectUnauthorized: true, ca }
    for (const [options, keys] of [
      [server, {}],
      [misnamed, { serverName: 'other.example.com' }],
      [
        { ...server, ...mutual },
        { certFile: 'client.pem', keyFile: 'client.key' },
      ],
    ] as const) {
      const endpoint = `https://127.0.0.1:${await startTlsFront(t, options, plain)}`
      const { checks } = await runCheck(
        t,
        { storage: await storageOf({ endpoint, caFile: 'ca.pem', ...keys }) },
        { files },
      )
      const found = checks.filter(({ component }) => component === 'storage')
      assert.deepEqual(
        found.map(({ step, ok, message }) => [step, ok ? null : message]),
        [
          ['tls', null],
          ['put, get, delete', null],
        ],
      )
    }
  })

  it('explains what is wrong with Kafka', async (t) => {
    const { brokers: working } = await testServers()
    const brokers = [`127.0.0.1:${await closedPort()}`]
    const { checks: down } = await runCheck(t, { kafka: { brokers } })
    assert.equal(down[0]?.code, 'KAFKA_UNREACHABLE')
    assert.match(down[0]?.action ?? '', /kafka\.brokers/)
    const checkpoints = uniqueName('not-compacted')
    const options = { clientId: 'test', patience: 'worker', log: () => undefined } as const
    const admin = createKafka({ brokers: working, tls: null, sasl: null }, options).admin()
    await admin.connect()
    await createTopic(admin, checkpoints, {}, 12)
    await admin.disconnect()
    const { checks } = await runCheck(t, { kafka: { brokers: working, topics: { checkpoints } } })
    const topics = checks.find(({ step }) => step === 'topics')
    assert.equal(topics?.code, 'KAFKA_TOPIC_UNSUITABLE', topics?.message)
    assert.match(topics?.action ?? '', /compact/)
  })

  it('explains what is wrong with the registry', async (t) => {
    let status = 401
    const server = createServer((_, response) => response.writeHead(status).end('{}')).listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const registryOf = (at: string) => ({ avro: { registry: { url: at, username: 'u', password: planted } } })
    for (const [answer, action] of [
      [401, /username and avro\.registry\.password/],
      [403, /right/],
      [404, /root of a Confluent-compatible/],
      [500, /log of the registry/],
    ] as const) {
      status = answer
      const { checks } = await runCheck(t, registryOf(url))
      const failed = checks.find(({ component }) => component === 'registry')
      assert.equal(failed?.code, 'REGISTRY_UNREACHABLE')
      assert.match(failed?.message ?? '', new RegExp(String(answer)))
      assert.match(failed?.action ?? '', action)
    }
    const { checks } = await runCheck(t, registryOf(`http://127.0.0.1:${await closedPort()}`))
    assert.match(checks.find(({ component }) => component === 'registry')?.message ?? '', /nothing listens there/)
  })

  it('refuses a login in the clear that the configuration does not allow, with exit code 2', async (t) => {
    const smtp = { host: '127.0.0.1', security: 'none', from: 'a@example.com', auth: { user: 'u', password: planted } }
    const { code, ok, checks } = await runCheck(t, { accounts: { a: { smtp } } })
    assert.deepEqual([code, ok, checks.map((result) => result.code)], [2, false, ['CONFIG_INVALID']])
    assert.match(checks[0]?.message ?? '', /allowPlaintextAuth/)
  })
})
