import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { createCodec } from '../../src/avro/codec.ts'
import { recordNames } from '../../src/avro/records.ts'
import { createSchemaRegistry } from '../../src/avro/schema-registry.ts'
import { loadSchemas } from '../../src/avro/schema-store.ts'
import { headerOf, Cluster } from '../support/kafka.ts'
import { testServers, uniqueName } from '../support/servers.ts'
import { deploy, Worker } from '../support/worker.ts'

const open = async (t: { after: (release: () => void) => void }) => {
  const { registry: url } = await testServers()
  const tls = { ca: null, certificate: null, key: null, serverName: null, minVersion: 'TLSv1.2' } as const
  const registry = createSchemaRegistry({ url, username: null, password: null, tls })
  t.after(() => registry.close())
  return { registry, codec: createCodec({ schemas: loadSchemas(), encoding: 'confluent', registry }) }
}

test('every schema is registered under <topic>-value, and records are read by their id', async (t) => {
  const { codec } = await open(t)
  for (const name of recordNames) await codec.prepare(name, uniqueName(name))
  const topic = uniqueName('requests')
  const bytes = await codec.encode('SendRequest', { id: 'r1', to: ['a@example.com'] }, topic)
  assert.equal(bytes[0], 0)
  const { codec: other } = await open(t)
  assert.equal((await other.decode('SendRequest', bytes)).id, 'r1')
  const { registry: url } = await testServers()
  const versions = (await (await fetch(`${url}/subjects/${topic}-value/versions`)).json()) as number[]
  assert.equal(versions.length, 1)
})

test('an incompatible schema of somebody else in the subject stops the start with the reason', async (t) => {
  const { codec, registry } = await open(t)
  const topic = uniqueName('taken')
  const foreign = {
    type: 'record',
    name: 'SendResult',
    namespace: 'posthorn',
    fields: [{ name: 'other', type: 'string' }],
  }
  await registry.register(`${topic}-value`, JSON.stringify(foreign))
  await assert.rejects(codec.prepare('SendResult', topic), { code: 'REGISTRY_INCOMPATIBLE' })
})

test('an older producer, whose schema lacks a field with a default, is read', async (t) => {
  const { codec, registry } = await open(t)
  const schema = JSON.parse(readFileSync(new URL('../../schemas/SendRequest.avsc', import.meta.url), 'utf8')) as {
    fields: { name: string }[]
  }
  const older = { ...schema, fields: schema.fields.filter(({ name }) => name !== 'tags') }
  const id = await registry.register(`${uniqueName('older')}-value`, JSON.stringify(older))
  const current = await codec.encode('SendRequest', { id: 'r2', to: ['a@example.com'] }, uniqueName('newer'))
  // `tags` is the last field and an empty map is its last byte.
  assert.equal(schema.fields.at(-1)?.name, 'tags')
  const header = Buffer.alloc(5)
  header.writeInt32BE(id, 1)
  const bytes = Buffer.concat([header, current.subarray(5, -1)])
  assert.deepEqual((await codec.decode('SendRequest', bytes)).tags, {})
})

test('a worker with a registry takes both encodings and writes Confluent wire format', async (t) => {
  const { mail, registry: url } = await testServers()
  const address = `${uniqueName('registry')}@example.com`
  const smtp = { host: mail.host, port: mail.smtpPort, security: 'none', from: address }
  const avro = { encoding: 'confluent', registry: { url } }
  const { config, configFile } = await deploy(t, { main: { smtp } }, { avro })
  const { topics } = config.kafka
  const worker = new Worker(t, configFile)
  await worker.seen(({ event }) => event === 'Started')
  const { codec } = await open(t)
  const plain = createCodec({ schemas: loadSchemas(), encoding: 'single-object', registry: null })
  const request = (id: string) => ({ id, account: 'main', to: [address], text: 'x' })
  const cluster = new Cluster(t, config)
  const topic = topics.sendRequests
  await cluster.send([
    { topic, key: 'a', value: await codec.encode('SendRequest', request('confluent'), topic) },
    { topic, key: 'b', value: await plain.encode('SendRequest', request('single-object'), topic) },
    { topic, key: 'c', value: Buffer.from('00000fffff02', 'hex') },
  ])
  const results = await cluster.take(topics.sendResults, 2)
  for (const { value } of results) assert.equal(value?.[0], 0)
  const decoded = await Promise.all(results.map(({ value }) => codec.decode('SendResult', value)))
  assert.deepEqual(decoded.map(({ id, status }) => [id, status]).sort(), [
    ['confluent', 'DELIVERED'],
    ['single-object', 'DELIVERED'],
  ])
  const [dead] = await cluster.take(topics.deadLetters, 1)
  assert.ok(dead)
  assert.equal(headerOf(dead, 'dead-letter-code'), 'RECORD_SCHEMA_UNKNOWN')
  assert.equal(await worker.stop(), 0)
})
