import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { SendResultInput, SendStatus } from '../../src/avro/records.ts'
import { PosthornError } from '../../src/errors.ts'
import { codec, FakeCluster, runOn } from './fake-cluster.ts'

const requests = 'mail.send.requests'
const results = 'mail.send.results'
const brokers = ['--brokers', '127.0.0.1:1']

const sent = (cluster: FakeCluster) =>
  Promise.all((cluster.topics.get(requests) ?? []).map(({ value }) => codec.decode('SendRequest', value)))

const resultOf = (id: string, status: SendStatus): SendResultInput => ({
  id,
  account: 'default',
  messageId: `<${id}@example.com>`,
  status,
  attempt: 1,
  requestedAt: 1,
  completedAt: 2,
  topic: requests,
  partition: 0,
  offset: 0,
})

const publishResult = async (cluster: FakeCluster, id: string, status: SendStatus): Promise<void> => {
  const value = await codec.encode('SendResult', resultOf(id, status), results)
  cluster.append(results, { key: Buffer.from(id), value })
}

/** Answers each request with these statuses. */
const answering = (...statuses: SendStatus[]): FakeCluster => {
  const cluster = new FakeCluster()
  cluster.topics.set(results, [])
  cluster.onRecord = async ({ value }) => {
    const { id } = await codec.decode('SendRequest', value)
    for (const status of statuses) await publishResult(cluster, id, status)
  }
  return cluster
}

const fileOf = async (t: TestContext, name: string, content: string | Buffer): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-cli-'))
  t.after(() => rm(folder, { recursive: true }))
  const path = join(folder, name)
  await writeFile(path, content)
  return path
}

describe('posthorn send with flags', () => {
  it('publishes one request and prints its id', async (t) => {
    const cluster = new FakeCluster()
    const file = await fileOf(t, 'report.pdf', Buffer.from([0, 255, 13, 10]))
    const argv = ['--to', 'a@example.com', '--to', 'b@example.com', '--cc', 'c@example.com', '--subject', 'Grüße']
    argv.push('--text', 'hi', '--html', '<p>hi', '--attach', file, '--header', 'X-A: b: c', '--tag', 'k=v=w')
    argv.push('--key', 'thread-1', '--account', 'support', '--expires-at', '2026-01-02')
    const { code, lines, stderr } = await runOn(['send', ...argv, ...brokers], { cluster })
    assert.equal(code, 0, stderr)
    assert.deepEqual(lines, [{ id: 'id-1' }])
    const [request] = await sent(cluster)
    assert.equal(cluster.topics.get(requests)?.[0]?.key?.toString(), 'thread-1')
    assert.deepEqual(
      { ...request, attachments: undefined },
      {
        ...request,
        attachments: undefined,
        id: 'id-1',
        account: 'support',
        from: null,
        to: ['a@example.com', 'b@example.com'],
        cc: ['c@example.com'],
        bcc: [],
        subject: 'Grüße',
        text: 'hi',
        html: '<p>hi',
        headers: { 'X-A': 'b: c' },
        tags: { k: 'v=w' },
        expiresAt: Date.UTC(2026, 0, 2),
      },
    )
    assert.deepEqual(request?.attachments, [
      {
        fileName: 'report.pdf',
        contentType: 'application/pdf',
        contentId: null,
        disposition: 'ATTACHMENT',
        content: Buffer.from([0, 255, 13, 10]),
      },
    ])
  })

  it('refuses wrong usage before anything is sent', async () => {
    for (const argv of [
      ['--subject', 'x'],
      ['--to', 'a', '--attach', 'no-such-file'],
      ['--to', 'a', '--send-at', 'tomorrow'],
      ['--to', 'a', '--header', 'no colon'],
      ['--to', 'a', '--priority', 'URGENT'],
    ]) {
      const cluster = new FakeCluster()
      const { code, stderr, stdout } = await runOn(['send', ...argv, ...brokers], { cluster })
      assert.equal(code, 2, argv.join(' '))
      assert.match(stderr, /^posthorn: .* \(USAGE_INVALID\)\n/)
      assert.equal(stdout, '')
      assert.equal(cluster.topics.size, 0)
    }
  })

  it('asks for a recipient rather than waiting for a terminal', async () => {
    const { code, stderr } = await runOn(['send', ...brokers], { isTerminal: true })
    assert.equal(code, 2)
    assert.match(stderr, /--to/)
  })
})

describe('posthorn send with lines of JSON', () => {
  it('publishes each line, bytes from base64, and gives an id where there is none', async () => {
    const cluster = new FakeCluster()
    const stdin = [
      '{"id":"a","to":["x@example.com"],"attachments":[{"fileName":"f","content":"AP8NCg=="}]}',
      '',
      '{"to":["y@example.com"],"body":{"contentType":"text/xml","content":"PGEvPg=="},"account":"other"}',
      '{"to":["z@example.com"],"attachments":[{"content":{"bucket":"mail","key":"k"}}]}',
    ].join('\r\n')
    const { code, lines, stderr } = await runOn(['send', '--account', 'support', ...brokers], { cluster, stdin })
    assert.equal(code, 0, stderr)
    assert.deepEqual(lines, [{ id: 'a' }, { id: 'id-2' }, { id: 'id-3' }])
    const [first, second, third] = await sent(cluster)
    assert.deepEqual(first?.attachments[0]?.content, Buffer.from([0, 255, 13, 10]))
    assert.deepEqual([first?.account, second?.account], ['support', 'other'])
    assert.equal(second?.body?.content.toString(), '<a/>')
    assert.deepEqual(third?.attachments[0]?.content, {
      bucket: 'mail',
      key: 'k',
      versionId: null,
      size: null,
      sha256: null,
    })
  })

  it('names the line of each bad request, publishes the others and exits 1', async () => {
    const cluster = new FakeCluster()
    const stdin = [
      '{"to":["a@example.com"],"subject":"SECRET',
      '[]',
      '{"to":["ok@example.com"]}',
      '{"to":["b@example.com"],"subjekt":"typo"}',
      '{"to":"not a list"}',
      '{"to":["c@example.com"],"attachments":[{"content":"not base64!"}]}',
      '{"to":["c@example.com"],"attachments":[{"path":"/etc/passwd"}]}',
      '{"id":"","to":["d@example.com"]}',
    ].join('\n')
    const { code, lines, stderr } = await runOn(['send', ...brokers], { cluster, stdin })
    assert.equal(code, 1)
    assert.deepEqual(lines, [{ id: 'id-3' }])
    for (const line of [1, 2, 4, 5, 6, 7, 8]) assert.match(stderr, new RegExp(`^posthorn: line ${line}: `, 'm'))
    assert.doesNotMatch(stderr, /line 3:/)
    assert.doesNotMatch(stderr, /SECRET/)
    assert.equal((await sent(cluster)).length, 1)
  })

  it('fails one request that Kafka finds too large, by its line', async () => {
    const cluster = new FakeCluster()
    cluster.refuse = ({ value }) =>
      (value?.length ?? 0) > 100 ? new PosthornError('RECORD_TOO_LARGE', 'too large', { stage: 'publish' }) : null
    const stdin = [`{"to":["a@example.com"],"text":"${'x'.repeat(200)}"}`, '{"to":["b@example.com"]}'].join('\n')
    const { code, lines, stderr } = await runOn(['send', ...brokers], { cluster, stdin })
    assert.equal(code, 1)
    assert.match(stderr, /line 1: too large \(RECORD_TOO_LARGE\)/)
    assert.deepEqual(lines, [{ id: 'id-2' }])
  })

  it('stops when Kafka fails, with one error', async () => {
    const cluster = new FakeCluster()
    cluster.refuse = () => new PosthornError('KAFKA_UNREACHABLE', 'gone', { stage: 'publish', action: 'Look.' })
    const stdin = Array.from({ length: 500 }, () => '{"to":["a@example.com"]}\n').join('')
    const { code, stdout, stderr } = await runOn(['send', ...brokers], { cluster, stdin })
    assert.equal(code, 1)
    assert.equal(stdout, '')
    assert.equal(stderr, 'posthorn: line 1: gone (KAFKA_UNREACHABLE)\n  → Look.\n')
  })

  it('refuses flags that would be ambiguous, and an address that is no flag', async () => {
    const { code, stderr } = await runOn(['send', '--subject', 'x', '--save-to', 'Sent', ...brokers], { stdin: '{}' })
    assert.equal(code, 2)
    assert.match(stderr, /--subject, --save-to without a recipient/)
  })
})

describe('posthorn send --wait', () => {
  it('opens the results before it sends, prints the final one and exits 0 when it is DELIVERED', async () => {
    const cluster = answering('DEFERRED', 'DELIVERED')
    const { code, lines, stderr } = await runOn(['send', '--to', 'a@example.com', '--wait', ...brokers], { cluster })
    assert.equal(code, 0, stderr)
    assert.deepEqual(
      lines.map(({ id, status }) => [id, status]),
      [['id-1', 'DELIVERED']],
    )
    assert.match(stderr, /id-1: attempt 1 failed/)
    assert.deepEqual(cluster.opened, [{ topic: results, from: 'latest', untilEnd: false }])
  })

  it('exits 1 when one is not DELIVERED, after all have come', async () => {
    const cluster = answering('DELIVERED')
    cluster.onRecord = async ({ offset }) =>
      publishResult(cluster, `r${offset}`, offset === 0 ? 'REJECTED' : 'DELIVERED')
    const stdin = '{"id":"r0","to":["a@example.com"]}\n{"id":"r1","to":["a@example.com"]}\n'
    const { code, lines } = await runOn(['send', '--wait', ...brokers], { cluster, stdin })
    assert.equal(code, 1)
    assert.deepEqual(
      new Map(lines.map(({ id, status }) => [id, status])),
      new Map([
        ['r0', 'REJECTED'],
        ['r1', 'DELIVERED'],
      ]),
    )
  })

  it('passes over the results of others, also those that it could not decode', async () => {
    const cluster = answering('DELIVERED')
    const { onRecord } = cluster
    cluster.onRecord = async (record) => {
      cluster.append(results, { key: Buffer.from('other'), value: Buffer.from('garbage') })
      cluster.append(results, { key: null, value: null })
      await onRecord(record)
    }
    const { code, lines } = await runOn(['send', '--to', 'a@example.com', '--wait', ...brokers], { cluster })
    assert.equal(code, 0)
    assert.equal(lines.length, 1)
  })

  it('waits for as many results as the id was sent times', async () => {
    const cluster = answering('DELIVERED')
    const stdin = '{"id":"same","to":["a@example.com"]}\n{"id":"same","to":["a@example.com"]}\n'
    const { lines } = await runOn(['send', '--wait', ...brokers], { cluster, stdin })
    assert.equal(lines.length, 2)
  })

  it('waits for nothing when nothing was published', async () => {
    const { code } = await runOn(['send', '--wait', ...brokers], { cluster: answering('DELIVERED'), stdin: 'x\n' })
    assert.equal(code, 1)
  })

  it('says at the timeout how many are missing, and that they are not lost', async () => {
    const cluster = answering()
    const { code, stderr } = await runOn(['send', '--to', 'a@example.com', '--wait', '--timeout', '20ms', ...brokers], {
      cluster,
    })
    assert.equal(code, 1)
    assert.match(stderr, /1 request\(s\) were accepted and have no final result yet \(STOPPED\)/)
  })

  it('ends at the interrupt while it waits', async () => {
    const abort = new AbortController()
    const cluster = answering()
    cluster.onRecord = () => abort.abort()
    const { code } = await runOn(['send', '--to', 'a@example.com', '--wait', ...brokers], {
      cluster,
      signal: abort.signal,
    })
    assert.equal(code, 1)
  })
})
