import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { header } from '../../src/kafka/records.ts'
import { codec, FakeCluster, runOn } from './fake-cluster.ts'

const brokers = ['--brokers', '127.0.0.1:1']

interface Shown {
  key: unknown
  value: unknown
  error?: { code: string }
  base64?: string
}

const withRequest = async (topic: string): Promise<FakeCluster> => {
  const cluster = new FakeCluster()
  const body = { contentType: 'text/xml', content: Buffer.from('<a/>') }
  const value = await codec.encode('SendRequest', { id: 'r', to: ['a@example.com'], body }, 'x')
  const headers = [header('mail-to-address', 'a'), header('one', '1'), header('mail-to-address', 'b')]
  cluster.append(topic, { key: Buffer.from('k'), value, headers })
  return cluster
}

describe('posthorn tail', () => {
  it('prints what is there as lines of JSON, bytes as base64, repeated headers as lists', async () => {
    const cluster = await withRequest('mail.send.requests')
    const { code, lines } = await runOn(['tail', 'sendRequests', '--exit-at-end', ...brokers], { cluster })
    assert.equal(code, 0)
    const [record] = lines as unknown as [Record<string, unknown>]
    const { value, ...rest } = record
    assert.deepEqual(rest, {
      topic: 'mail.send.requests',
      partition: 0,
      offset: 0,
      timestamp: 1_700_000_000_000,
      key: 'k',
      headers: { 'mail-to-address': ['a', 'b'], one: '1' },
    })
    assert.deepEqual((value as { body: unknown }).body, { contentType: 'text/xml', content: 'PGEvPg==' })
    assert.deepEqual(cluster.opened, [{ topic: 'mail.send.requests', from: 'beginning', untilEnd: true }])
  })

  it('takes the names of the configuration however they are written, and full names of any topic', async () => {
    const topics: [string, string][] = [
      ['inbound', 'mail.inbound'],
      ['dead-letters', 'mail.dead-letters'],
      ['deadLetters', 'mail.dead-letters'],
      ['sendRetries.1m', 'mail.send.retries.1m'],
      ['mail.checkpoints', 'mail.checkpoints'],
      ['somebody.else', 'somebody.else'],
    ]
    for (const [given, topic] of topics) {
      const cluster = new FakeCluster()
      cluster.topics.set(topic, [])
      const { code, stderr } = await runOn(['tail', given, '--exit-at-end', ...brokers], { cluster })
      assert.equal(code, 0, stderr)
      assert.equal(cluster.opened[0]?.topic, topic)
    }
  })

  it('asks which tier of the retries is meant', async () => {
    const { code, stderr } = await runOn(['tail', 'sendRetries', ...brokers])
    assert.equal(code, 2)
    assert.match(stderr, /sendRetries\.1m, sendRetries\.10m, sendRetries\.1h/)
  })

  it('shows a record that it cannot decode with the reason and its bytes, and goes on', async () => {
    const cluster = await withRequest('mail.inbound')
    cluster.topics.get('mail.inbound')?.pop()
    cluster.append('mail.inbound', { key: Buffer.from([0xff]), value: Buffer.from([1, 2, 3]) })
    cluster.append('mail.inbound', { value: null })
    const { code, lines } = await runOn(['tail', 'inbound', '--exit-at-end', ...brokers], { cluster })
    assert.equal(code, 0)
    const [bad, empty] = lines as unknown as [Shown, Shown]
    assert.deepEqual(bad.key, { base64: '/w==' })
    assert.equal(bad.value, null)
    assert.equal(bad.base64, 'AQID')
    assert.equal(bad.error?.code, 'RECORD_UNRECOGNIZED')
    assert.equal(empty.value, null)
    assert.equal('error' in empty, false)
  })

  it('shows dead letters with their bytes, decoded where they can be', async () => {
    const cluster = await withRequest('mail.dead-letters')
    const { lines } = await runOn(['tail', 'deadLetters', '--exit-at-end', ...brokers], { cluster })
    const [record] = lines as unknown as [Shown]
    assert.equal((record.value as { id: string }).id, 'r')
    assert.match(record.base64 ?? '', /^wwH/)
  })

  it('follows new records and ends after --max', async () => {
    const cluster = await withRequest('mail.inbound')
    const running = runOn(['tail', 'inbound', '--max', '2', ...brokers], { cluster })
    while (cluster.opened.length === 0) await new Promise(setImmediate)
    for (const key of ['new-1', 'new-2', 'new-3']) cluster.append('mail.inbound', { key: Buffer.from(key) })
    const { code, lines } = await running
    assert.equal(code, 0)
    assert.deepEqual(
      lines.map(({ key }) => key),
      ['new-1', 'new-2'],
    )
    assert.equal(cluster.isClosed, true)
  })

  it('ends with exit code 0 at the interrupt', async () => {
    const abort = new AbortController()
    const cluster = await withRequest('mail.inbound')
    const running = runOn(['tail', 'inbound', ...brokers], { cluster, signal: abort.signal })
    while (cluster.opened.length === 0) await new Promise(setImmediate)
    abort.abort()
    assert.equal((await running).code, 0)
  })

  it('escapes what could steer a terminal', async () => {
    const cluster = new FakeCluster()
    cluster.append('mail.inbound', { key: Buffer.from('a\u001b[2J\u009b2J\u202eb') })
    const { stdout, lines } = await runOn(['tail', 'inbound', '--exit-at-end', ...brokers], { cluster })
    assert.doesNotMatch(stdout, /[\u0000-\u0009\u007f-\u009f\u202e]/)
    assert.equal((lines[0] as unknown as { key: string }).key, 'a\u001b[2J\u009b2J\u202eb')
  })
})
