import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'

import { createSchemaRegistry, type SchemaRegistry } from '../../src/avro/schema-registry.ts'
import { Secret } from '../../src/config/secret.ts'
import type { RegistryConfig } from '../../src/config/config.ts'

interface Exchange {
  line: string
  authorization: string | undefined
  body: unknown
}

interface Answer {
  status: number
  body: unknown
}

type Handler = (exchange: Exchange) => Answer | 'silence' | 'cut'

const configFor = (url: string, login?: { username: string; password: string }): RegistryConfig => ({
  url,
  username: login?.username ?? null,
  password: login === undefined ? null : new Secret(login.password),
  tls: { ca: null, certificate: null, key: null, serverName: null, minVersion: 'TLSv1.2' },
})

const bodyOf = async (request: IncomingMessage): Promise<unknown> => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return chunks.length === 0 ? null : JSON.parse(Buffer.concat(chunks).toString('utf8'))
}

/** A registry's HTTP side whose every answer the test decides. */
const registryWith = async (
  t: TestContext,
  handler: Handler,
  login?: { username: string; password: string },
): Promise<{ registry: SchemaRegistry; exchanges: Exchange[]; url: string }> => {
  const exchanges: Exchange[] = []
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { authorization } = request.headers
    const exchange = { line: `${request.method} ${request.url}`, authorization, body: await bodyOf(request) }
    exchanges.push(exchange)
    const reply = handler(exchange)
    if (reply === 'silence') return
    if (reply === 'cut') {
      response.writeHead(200, { 'content-length': 1000 }).write('{')
      response.destroy()
      return
    }
    response.writeHead(reply.status, { 'content-type': 'application/json' })
    response.end(typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body))
  }
  const server = createServer((request, response) => void answer(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/apis/ccompat/v7`
  const registry = createSchemaRegistry(configFor(url, login), 500)
  t.after(() => {
    registry.close()
    server.closeAllConnections()
    server.close()
  })
  return { registry, exchanges, url }
}

const notFound: Answer = { status: 404, body: { error_code: 40401, message: 'Subject not found.' } }
const compatibility = '/compatibility/subjects/mail.inbound-value/versions/latest?verbose=true'
const prefix = '/apis/ccompat/v7'
const text = '{"type":"record","name":"R","fields":[]}'

test('a schema is fetched by its id', async (t) => {
  const { registry, exchanges } = await registryWith(t, () => ({ status: 200, body: { schema: text } }))
  assert.deepEqual(await registry.schemaById(4_294_967_295), { type: 'record', name: 'R', fields: [] })
  assert.deepEqual(
    exchanges.map(({ line }) => line),
    [`GET ${prefix}/schemas/ids/4294967295`],
  )
})

const unknownSchemas: [string, Answer][] = [
  ['an id that the registry does not know', { status: 404, body: { error_code: 40403 } }],
  ['an id that the registry calls invalid', { status: 400, body: {} }],
  ['an answer without a schema', { status: 200, body: {} }],
  ['an answer that is not JSON', { status: 200, body: 'hello' }],
  ['a schema that is not JSON', { status: 200, body: { schema: 'syntax = "proto3";' } }],
  ['a schema of another kind', { status: 200, body: { schema: '{}', schemaType: 'JSON' } }],
]

for (const [what, answer] of unknownSchemas)
  test(`${what} makes the record a dead letter`, async (t) => {
    const { registry } = await registryWith(t, () => answer)
    await assert.rejects(registry.schemaById(5), { code: 'RECORD_SCHEMA_UNKNOWN', retryable: false, stage: 'decode' })
  })

for (const status of [301, 401, 403, 429, 500, 503])
  test(`status ${status} says nothing of the record: it is tried again`, async (t) => {
    const { registry } = await registryWith(t, () => ({ status, body: {} }))
    await assert.rejects(registry.schemaById(5), {
      code: 'REGISTRY_UNREACHABLE',
      retryable: true,
      message: new RegExp(String(status)),
    })
  })

test('a registry that does not answer in time, or stops in the middle, is unreachable', async (t) => {
  const { registry: silent } = await registryWith(t, () => 'silence')
  await assert.rejects(silent.schemaById(5), { code: 'REGISTRY_UNREACHABLE', message: /no answer within 0\.5 s/ })
  const { registry: cut } = await registryWith(t, () => 'cut')
  await assert.rejects(cut.schemaById(5), { code: 'REGISTRY_UNREACHABLE' })
})

test('an endless answer is not read to its end', async (t) => {
  const { registry } = await registryWith(t, () => ({ status: 200, body: ' '.repeat(9 * 1024 * 1024) }))
  await assert.rejects(registry.schemaById(5), { code: 'REGISTRY_UNREACHABLE', message: /more than 8388608 bytes/ })
})

test('nobody listening is unreachable', async () => {
  const registry = createSchemaRegistry(configFor('http://127.0.0.1:1'), 500)
  await assert.rejects(registry.schemaById(5), {
    code: 'REGISTRY_UNREACHABLE',
    retryable: true,
    message: /127\.0\.0\.1:1: nothing listens there \(ECONNREFUSED\)/,
  })
})

test('the login goes as basic authentication, and never into a message', async (t) => {
  const login = { username: 'ü:ser', password: 'hunter2' }
  const { registry, exchanges } = await registryWith(t, () => ({ status: 401, body: {} }), login)
  await assert.rejects(registry.schemaById(5), (error: Error) => !error.message.includes('hunter2'))
  assert.equal(exchanges[0]?.authorization, `Basic ${Buffer.from('ü:ser:hunter2').toString('base64')}`)
})

test('a schema that is registered already is only looked up', async (t) => {
  const { registry, exchanges } = await registryWith(t, () => ({ status: 200, body: { id: 12, version: 3 } }))
  assert.equal(await registry.register('mail.inbound-value', text), 12)
  assert.deepEqual(
    exchanges.map(({ line, body }) => [line, body]),
    [[`POST ${prefix}/subjects/mail.inbound-value`, { schema: text, schemaType: 'AVRO' }]],
  )
})

test('a new subject gets its first version', async (t) => {
  const { registry, exchanges } = await registryWith(t, ({ line }) =>
    line.endsWith('/versions') ? { status: 200, body: { id: 1 } } : notFound,
  )
  assert.equal(await registry.register('mail.inbound-value', text), 1)
  assert.deepEqual(
    exchanges.map(({ line }) => line),
    [
      `POST ${prefix}/subjects/mail.inbound-value`,
      `POST ${prefix}${compatibility}`,
      `POST ${prefix}/subjects/mail.inbound-value/versions`,
    ],
  )
})

test('a subject is one part of the path', async (t) => {
  const { registry, exchanges } = await registryWith(t, () => ({ status: 200, body: { id: 1 } }))
  await registry.register('../a b-value', text)
  assert.equal(exchanges[0]?.line, `POST ${prefix}/subjects/..%2Fa%20b-value`)
})

test('an incompatible schema is refused with the reasons of the registry, and not registered', async (t) => {
  const messages = Array.from({ length: 7 }, (_, index) => `reason ${index}`)
  const { registry, exchanges } = await registryWith(t, ({ line }) =>
    line.includes('/compatibility/') ? { status: 200, body: { is_compatible: false, messages } } : notFound,
  )
  await assert.rejects(registry.register('mail.inbound-value', text), {
    code: 'REGISTRY_INCOMPATIBLE',
    retryable: false,
    message: /mail\.inbound-value: reason 0; .*; reason 4 \(and 2 more\)/,
  })
  assert.equal(exchanges.length, 2)
})

test('the one reason that Apicurio gives is repeated; without any, there is a sentence', async (t) => {
  for (const [body, message] of [
    [{ is_compatible: false, reason: 'x at /fields/23' }, /: x at \/fields\/23$/],
    [{ is_compatible: false }, /: it is not compatible with the latest version$/],
  ] as const) {
    const { registry } = await registryWith(t, ({ line }) =>
      line.includes('/compatibility/') ? { status: 200, body } : notFound,
    )
    await assert.rejects(registry.register('mail.inbound-value', text), { code: 'REGISTRY_INCOMPATIBLE', message })
  }
})

test('a registration that is refused is a conflict, with the message of the registry', async (t) => {
  for (const status of [409, 422]) {
    const { registry } = await registryWith(t, ({ line }) =>
      line.endsWith('/versions') ? { status, body: { message: 'it does not fit' } } : notFound,
    )
    await assert.rejects(registry.register('mail.inbound-value', text), {
      code: 'REGISTRY_INCOMPATIBLE',
      message: /it does not fit/,
    })
  }
})
