/** A registry behind TLS and basic authentication that comes and goes, with the real one behind it. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { before, describe, it, type TestContext } from 'node:test'
import { createCodec } from '../../src/avro/codec.ts'
import { createSchemaRegistry } from '../../src/avro/schema-registry.ts'
import { loadSchemas } from '../../src/avro/schema-store.ts'
import { subjectOf } from '../../src/avro/topic-records.ts'
import { createCertificates, type TestCertificates } from '../support/certificates.ts'
import { runCheck, runReal } from '../support/check-run.ts'
import { Cluster, headerOf } from '../support/kafka.ts'
import { testServers, uniqueName } from '../support/servers.ts'
import { plainTls } from '../support/smtp-mail.ts'
import { deploy, Worker } from '../support/worker.ts'

const login = { username: 'ü:ser', password: 'planted-secret' }

let certificates: TestCertificates
before(() => {
  certificates = createCertificates()
})

interface Gate {
  url: string
  isOpen: boolean
  /** Method and path of each request, whether it was let through or not. */
  requests: string[]
  /** Resolves at the next request. */
  asked: () => Promise<unknown>
}

/** Passes requests on to the real registry while it is open; else answers 503. */
const startGate = async (t: TestContext): Promise<Gate> => {
  const upstream = (await testServers()).registry
  const server = createServer(certificates.server, (request, response) => {
    const answer = async (): Promise<void> => {
      gate.requests.push(`${request.method} ${request.url}`)
      server.emit('asked')
      const isRight = request.headers.authorization?.slice('Basic '.length) === expected
      if (!isRight || !gate.isOpen) return void response.writeHead(isRight ? 503 : 401).end('{}')
      const body = await text(request)
      const { method = 'GET', headers } = request
      const passed = await fetch(`${upstream}${request.url}`, {
        method,
        headers: { 'content-type': headers['content-type'] ?? 'application/json' },
        ...(method === 'GET' ? {} : { body }),
      })
      response.writeHead(passed.status, { 'content-type': 'application/json' }).end(await passed.text())
    }
    void answer()
  }).listen(0, '127.0.0.1')
  const expected = Buffer.from(`${login.username}:${login.password}`).toString('base64')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  const gate: Gate = { url, isOpen: true, requests: [], asked: () => once(server, 'asked') }
  return gate
}

const deployWith = async (t: TestContext, { url }: Gate) => {
  const { mail } = await testServers()
  const address = `${uniqueName('outage')}@example.com`
  const smtp = { host: mail.host, port: mail.smtpPort, security: 'none', from: address }
  const avro = { encoding: 'confluent', registry: { url, ...login, caFile: 'ca.pem' } }
  return { address, ...(await deploy(t, { main: { smtp } }, { avro }, { 'ca.pem': certificates.ca })) }
}

/** A program's own connection to the registry. */
const producerCodec = async (t: TestContext) => {
  const registry = createSchemaRegistry({
    url: (await testServers()).registry,
    username: null,
    password: null,
    tls: plainTls,
  })
  t.after(() => registry.close())
  return { registry, codec: createCodec({ schemas: loadSchemas(), encoding: 'confluent', registry }) }
}

describe('a worker with a registry behind TLS and a login', () => {
  it('waits while the registry is away, sends then, and never makes a dead letter of it', async (t) => {
    const gate = await startGate(t)
    const { address, config, configFile } = await deployWith(t, gate)
    const worker = new Worker(t, configFile, ['--roles', 'send'])
    await worker.seen(({ event }) => event === 'Started')
    const { codec, registry } = await producerCodec(t)
    const cluster = new Cluster(t, config)
    const topic = config.kafka.topics.sendRequests
    const request = (id: string) => ({ id, account: 'main', to: [address], text: 'x' })

    gate.isOpen = false
    const refused = gate.asked()
    await cluster.send([{ topic, key: 'a', value: await codec.encode('SendRequest', request('one'), topic) }])
    await refused
    gate.isOpen = true
    const [first] = await cluster.take(config.kafka.topics.sendResults, 1)
    assert.equal((await codec.decode('SendResult', first?.value ?? null)).status, 'DELIVERED')

    // The id is known now: neither the registry nor its absence matters any more.
    gate.isOpen = false
    const before = gate.requests.length
    await cluster.send([{ topic, key: 'a', value: await codec.encode('SendRequest', request('two'), topic) }])
    await cluster.take(config.kafka.topics.sendResults, 2)
    assert.equal(gate.requests.length, before)
    gate.isOpen = true

    // A newer producer, whose schema has a field more, and then an id that nobody knows.
    const schema = JSON.parse(readFileSync(new URL('../../schemas/SendRequest.avsc', import.meta.url), 'utf8')) as {
      fields: object[]
    }
    const added = { name: 'colour', type: 'string', default: 'blue', doc: 'x' }
    const newer = { ...schema, fields: [...schema.fields, added] }
    const id = await registry.register(subjectOf(uniqueName('newer')), JSON.stringify(newer))
    const current = await codec.encode('SendRequest', request('three'), topic)
    const header = Buffer.alloc(5)
    header.writeInt32BE(id, 1)
    const value = Buffer.concat([header, current.subarray(5), Buffer.from([6]), Buffer.from('red')])
    await cluster.send([
      { topic, key: 'a', value },
      { topic, key: 'a', value: Buffer.from('00000fffff02', 'hex') },
    ])
    const taken = await cluster.take(config.kafka.topics.sendResults, 3)
    const results = await Promise.all(taken.map((record) => codec.decode('SendResult', record.value)))
    // They lie in several partitions, in no order among each other.
    assert.equal(results.find((result) => result.id === 'three')?.status, 'DELIVERED')
    const [dead] = await cluster.take(config.kafka.topics.deadLetters, 1)
    assert.ok(dead)
    assert.equal(headerOf(dead, 'dead-letter-code'), 'RECORD_SCHEMA_UNKNOWN')
    assert.equal(await worker.stop(), 0)
    assert.equal((await cluster.readAll(config.kafka.topics.deadLetters)).length, 1)
    assert.doesNotMatch(JSON.stringify(worker.log), /planted-secret/)
  })

  it('says at start that the registry is away, or has a schema that does not fit, and ends', async (t) => {
    const gate = await startGate(t)
    gate.isOpen = false
    const away = await deployWith(t, gate)
    const first = new Worker(t, away.configFile)
    assert.equal(await first.exited, 1)
    assert.match(JSON.stringify(first.log), /REGISTRY_UNREACHABLE/)
    gate.isOpen = true
    const { registry } = await producerCodec(t)
    const taken = await deployWith(t, gate)
    const foreign = {
      type: 'record',
      name: 'SendResult',
      namespace: 'posthorn',
      fields: [{ name: 'other', type: 'string' }],
    }
    await registry.register(subjectOf(taken.config.kafka.topics.sendResults), JSON.stringify(foreign))
    const second = new Worker(t, taken.configFile)
    assert.equal(await second.exited, 1)
    assert.match(JSON.stringify(second.log), /REGISTRY_INCOMPATIBLE/)
    assert.match(JSON.stringify(second.log), /posthorn schemas show/)
  })

  it('gets the schemas of all topics by posthorn schemas register, once', async (t) => {
    const gate = await startGate(t)
    const { configFile, config } = await deployWith(t, gate)
    const register = async () => {
      const { code, stdout } = await runReal(['schemas', 'register', '--json', '--config', configFile])
      assert.equal(code, 0)
      return (JSON.parse(stdout) as { subjects: { subject: string; id: number; was: string }[] }).subjects
    }
    const first = await register()
    assert.deepEqual(new Set(first.map(({ was }) => was)), new Set(['missing']))
    assert.ok(first.some(({ subject }) => subject === subjectOf(config.kafka.topics.sendRequests)))
    assert.equal(first.length, 6)
    const again = await register()
    assert.deepEqual(new Set(again.map(({ was }) => was)), new Set(['registered']))
    assert.deepEqual(
      again.map(({ id }) => id),
      first.map(({ id }) => id),
    )
  })

  it('is checked up to its certificate and its subjects', async (t) => {
    const { url } = await startGate(t)
    const avro = { encoding: 'confluent', registry: { url, ...login, caFile: 'ca.pem' } }
    const { code, checks } = await runCheck(t, { avro }, { files: { 'ca.pem': certificates.ca } })
    const found = checks.filter(({ component }) => component === 'registry')
    assert.deepEqual(
      found.map(({ step, ok }) => [step, ok]),
      [
        ['tls', true],
        ['connect', true],
        ['subjects', true],
      ],
    )
    assert.equal(code, 0)
    const registry = { url, ...login, password: 'wrong', caFile: 'ca.pem' }
    const wrong = await runCheck(t, { avro: { registry } }, { files: { 'ca.pem': certificates.ca } })
    assert.match(wrong.checks.find(({ ok }) => !ok)?.message ?? '', /refuses the login \(401\)/)
  })
})
