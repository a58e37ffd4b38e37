/** TLS and SASL with a real broker. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { KafkaConfig, TlsConfig } from '../../src/config/config.ts'
import { Secret } from '../../src/config/secret.ts'
import { isPosthornError } from '../../src/errors.ts'
import { connectAdmin } from '../../src/kafka/connect-admin.ts'
import { createKafka } from '../../src/kafka/connect.ts'
import { createRecordProducer } from '../../src/kafka/record-producer.ts'
import { TopicReader } from '../../src/kafka/topic-reader.ts'
import { ensureTopics } from '../../src/kafka/topics.ts'
import { planTopics } from '../../src/kafka/topic-plan.ts'
import { compileConfig } from '../../src/config/compile-config.ts'
import { connectKafka } from '../../src/cli/kafka-clients.ts'
import { checkKafka } from '../../src/check/check-kafka.ts'
import { runChecks } from '../../src/check/run-checks.ts'
import { Cluster, codec } from '../support/kafka.ts'
import { startRealServer } from '../support/smtp-real-server.ts'
import { deploy, Worker } from '../support/worker.ts'
import { startSecuredKafka, type SecuredKafka } from '../support/secured-kafka.ts'
import { plainTls } from '../support/smtp-mail.ts'

let broker: SecuredKafka
before(async () => {
  broker = await startSecuredKafka()
  // A broker that has just started loads its coordinators, one for each partition of their topic.
  const admin = connect({ broker: broker.plain, tls: null, sasl: null }, token, 'worker').admin()
  await admin.connect()
  for (let group = 0; group < 16;) {
    const isLoaded = await admin.fetchOffsets({ groupId: `warm-${group}` }).then(
      () => true,
      () => false,
    )
    if (isLoaded) group += 1
    else await delay(100)
  }
  await admin.disconnect()
})
after(() => broker.stop())

/** How the broker lets in by OAUTHBEARER; the tokens come from the test. */
const bearer = { mechanism: 'oauthbearer', oauth2: {} } as unknown as KafkaConfig['sasl']

type Endpoint = Pick<KafkaConfig, 'tls' | 'sasl'> & { broker: string }

const passwordLogin = (mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512', password = broker.user.password) => ({
  mechanism,
  username: broker.user.username,
  password: new Secret(password),
})

const trusting = (more: Partial<TlsConfig> = {}): TlsConfig => ({ ...plainTls, ca: broker.certificates.ca, ...more })

/** An unsigned JWT, which the broker takes for its validator of development. */
const token = async (now = Math.floor(Date.now() / 1_000)): Promise<string> => {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'none' })}.${part({ sub: broker.user.username, iat: now, exp: now + 3_600 })}.`
}

const connect = (
  { broker: address, tls, sasl }: Endpoint,
  get: () => Promise<string> = token,
  patience: 'worker' | 'command' = 'command',
) =>
  createKafka(
    { brokers: [address], tls, sasl },
    { clientId: 'test', patience, log: () => undefined, tokens: { get, invalidate: () => undefined } },
  )

const refusal = async (endpoint: Endpoint, get: () => Promise<string> = token) => {
  const error: unknown = await connectAdmin(connect(endpoint, get)).then(
    () => assert.fail('it was let in'),
    (refused: unknown) => refused,
  )
  assert.ok(isPosthornError(error))
  const { code, message, action } = error
  assert.doesNotMatch(`${message} ${action}`, /secret/)
  return { code, message, action: action ?? '' }
}

/** Creates the topics of an installation, writes a record and reads it back. */
const roundTrip = async (endpoint: Endpoint, name: string): Promise<void> => {
  const kafka = connect(endpoint)
  const { signal } = new AbortController()
  const topic = `${name}.inbound`
  const config = compileConfig(
    JSON.stringify({
      kafka: { brokers: [endpoint.broker], topics: { inbound: topic, partitions: 1, replication: 1 } },
    }),
    { fileName: 'test', env: {}, readFile: () => '' },
  )
  const admin = kafka.admin()
  await admin.connect()
  await ensureTopics(admin, planTopics(config))
  await admin.disconnect()
  const producer = createRecordProducer(kafka)
  await producer.send([{ topic, key: 'k', value: Buffer.from(name) }])
  await producer.close()
  const reader = await TopicReader.open({ kafka, topic, groupPrefix: name, from: 'beginning', untilEnd: true, signal })
  const values: string[] = []
  for await (const { value } of reader) values.push(String(value))
  assert.deepEqual(values, [name])
}

describe('a broker with SASL over TLS', () => {
  for (const mechanism of ['plain', 'scram-sha-256', 'scram-sha-512'] as const) {
    it(`lets in by ${mechanism}, and a wrong password is told`, async () => {
      const endpoint = { broker: broker.sasl, tls: trusting() }
      await roundTrip({ ...endpoint, sasl: passwordLogin(mechanism) }, mechanism)
      const wrong = await refusal({ ...endpoint, sasl: passwordLogin(mechanism, 'wrong-secret') })
      assert.equal(wrong.code, 'KAFKA_AUTHENTICATION_FAILED', wrong.message)
      assert.match(wrong.action, /kafka\.sasl/)
    })
  }

  it('lets in by OAUTHBEARER, tells a token that the broker refuses, and gets another one after it', async (t) => {
    await roundTrip({ broker: broker.sasl, tls: trusting(), sasl: bearer }, 'oauthbearer')
    const tokens = [await token(1_000), await token()]
    let given = 0
    const issuer = createServer((_, response) => {
      const body = { access_token: tokens[given], token_type: 'bearer', expires_in: 3_600 }
      given += 1
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }).listen(0, '127.0.0.1')
    await once(issuer, 'listening')
    t.after(() => issuer.close())
    const tokenUrl = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/token`
    const oauth2 = {
      provider: 'custom',
      grant: 'client_credentials',
      clientId: 'c',
      clientSecret: 's',
      scopes: ['kafka'],
      tokenUrl,
    }
    const kafka = { brokers: [broker.sasl], ssl: { caFile: 'ca.pem' }, sasl: { mechanism: 'oauthbearer', oauth2 } }
    const config = compileConfig(JSON.stringify({ kafka }), {
      fileName: 'test',
      env: {},
      readFile: () => broker.certificates.ca,
    })
    const clients = connectKafka(config.kafka, () => undefined, new AbortController().signal)
    t.after(() => clients.close())
    await assert.rejects(clients.admin(), { code: 'KAFKA_AUTHENTICATION_FAILED' })
    const topics = await (await clients.admin()).listTopics()
    assert.ok(topics.length > 0)
    assert.equal(given, 2)
  })

  it('tells an authority that is not trusted, a login that is missing and a port that expects TLS', async () => {
    const sasl = passwordLogin('scram-sha-512')
    assert.equal(
      (await refusal({ broker: broker.sasl, tls: trusting({ ca: broker.certificates.otherCa }), sasl })).code,
      'TLS_UNTRUSTED',
    )
    const missing = await refusal({ broker: broker.sasl, tls: trusting(), sasl: null })
    assert.match(missing.action, /kafka\.sasl/)
    const plain = await refusal({ broker: broker.sasl, tls: null, sasl })
    assert.equal(plain.code, 'KAFKA_UNREACHABLE')
    assert.match(plain.action, /TLS/)
    const encrypted = await refusal({ broker: broker.plain, tls: trusting(), sasl: null })
    assert.match(`${encrypted.message} ${encrypted.action}`, /TLS/)
  })
})

describe('SCRAM over TLS', () => {
  it('carries a worker and the check, and no secret into what they say', async (t) => {
    const smtp = await startRealServer(t)
    const { username, password } = broker.user
    const sasl = { mechanism: 'scram-sha-512', username, password: '${file:kafka-password}' }
    const topics = { partitions: 2, replication: 1 }
    const kafka = {
      brokers: [broker.sasl],
      ssl: { caFile: 'ca.pem' },
      sasl,
      group: 'scram',
      topics,
      compression: 'zstd',
    }
    const accounts = { main: { smtp: { host: '127.0.0.1', port: smtp.port, security: 'none', from: 'a@example.com' } } }
    const { config, configFile } = await deploy(
      t,
      accounts,
      { kafka },
      { 'ca.pem': broker.certificates.ca, 'kafka-password': password },
    )
    const worker = new Worker(t, configFile, ['--roles', 'send'])
    await worker.seen(({ event }) => event === 'Started')
    const cluster = new Cluster(t, config)
    const topic = config.kafka.topics.sendRequests
    const request = { id: 'scram-1', account: 'main', to: ['b@example.com'], text: 'x' }
    await cluster.send([{ topic, key: 'k', value: await codec.encode('SendRequest', request, topic) }])
    const [result] = await cluster.takeDecoded('SendResult', config.kafka.topics.sendResults, 1)
    assert.equal(result?.status, 'DELIVERED')
    assert.equal(await worker.stop(), 0)
    const ports = {
      connectAdmin: () =>
        connectAdmin(createKafka(config.kafka, { clientId: 'check', patience: 'command', log: () => undefined })),
    }
    const options = { timeoutMs: 30_000, concurrency: 1, signal: new AbortController().signal, now: Date.now }
    const results = await runChecks([checkKafka(config.kafka, planTopics(config), ports, Date.now)], options)
    assert.deepEqual(
      results.map(({ step, ok }) => [step, ok]),
      [
        ['tls', true],
        ['login', true],
        ['topics', true],
      ],
    )
    assert.match(results[0]?.message ?? '', /signed by Test authority/)
    assert.match(results[1]?.message ?? '', /logged in by SCRAM-SHA-512/)
    assert.doesNotMatch(JSON.stringify([results, worker.log]), new RegExp(password))
  })
})

describe('a broker with client certificates', () => {
  it('lets in who has one, and tells who has none', async () => {
    const { client } = broker.certificates
    const endpoint = { broker: broker.mutual, sasl: null }
    const own = trusting({ certificate: client.cert, key: new Secret(client.key) })
    await roundTrip({ ...endpoint, tls: own }, 'mutual')
    assert.equal((await refusal({ ...endpoint, tls: trusting() })).code, 'TLS_CLIENT_REFUSED')
    const older = await refusal({ ...endpoint, tls: trusting({ certificate: null }) })
    assert.equal(older.code, 'TLS_CLIENT_REFUSED')
  })
})
