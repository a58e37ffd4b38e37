import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { describe, it } from 'node:test'
import { Secret } from '../../src/config/secret.ts'
import { isPosthornError } from '../../src/errors.ts'
import { classifyKafkaError } from '../../src/kafka/classify-kafka-error.ts'
import { createKafka, type ConnectOptions } from '../../src/kafka/connect.ts'

const lines: string[] = []
const options: ConnectOptions = {
  clientId: 'test',
  patience: 'command',
  log: (level, text) => lines.push(`${level} ${text}`),
}
const plain = { tls: null, sasl: null }

describe('createKafka', () => {
  it('connects nothing by itself', async (t) => {
    const server = createServer(() => assert.fail('somebody connected')).listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    const { port } = server.address() as AddressInfo
    createKafka({ ...plain, brokers: [`127.0.0.1:${port}`] }, options).producer()
  })

  it('gives up on a closed port within seconds when a person waits, and says where', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    const admin = createKafka({ ...plain, brokers: [`127.0.0.1:${port}`] }, options).admin()
    await assert.rejects(admin.connect(), (cause) => {
      const error = classifyKafkaError(cause, 'start')
      assert.equal(error.code, 'KAFKA_UNREACHABLE')
      assert.match(error.message, new RegExp(`127.0.0.1:${port}`))
      return true
    })
    assert.ok(
      lines.some((line) => line.startsWith('error ') && line.includes(String(port))),
      lines.join('\n'),
    )
  })

  it('says nothing about partitioners: keys are always hashed as the Java client does', () => {
    const warned: string[] = []
    createKafka({ ...plain, brokers: ['127.0.0.1:1'] }, { ...options, log: (_, text) => warned.push(text) }).producer()
    assert.deepEqual(warned, [])
  })

  it('refuses OAUTHBEARER where nobody can fetch a token', () => {
    const sasl = { mechanism: 'oauthbearer', oauth2: {} } as never
    assert.throws(
      () => createKafka({ brokers: ['127.0.0.1:1'], tls: null, sasl }, options),
      (error) => isPosthornError(error) && error.code === 'CONFIG_INVALID',
    )
  })

  it('keeps the password out of what the client object shows', () => {
    const sasl = { mechanism: 'plain', username: 'u', password: new Secret('hunter2') } as const
    const kafka = createKafka({ brokers: ['127.0.0.1:1'], tls: null, sasl }, options)
    assert.doesNotMatch(JSON.stringify(kafka), /hunter2/)
  })
})
