import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { MailboxCommandInput, SendRequestInput } from '../../src/avro/records.ts'
import { header, type OutgoingRecord } from '../../src/kafka/records.ts'
import { Cluster, codec, headerOf } from '../support/kafka.ts'
import { testServers, uniqueName } from '../support/servers.ts'
import { deploy, Worker } from '../support/worker.ts'

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

/** A record that can't be read, and the code that it must end with. */
const unreadable = (good: Buffer, other: Buffer): [string, Buffer | null][] => [
  ['RECORD_NULL', null],
  ['RECORD_UNRECOGNIZED', Buffer.from('{"id": "json"}')],
  ['RECORD_UNRECOGNIZED', Buffer.alloc(0)],
  ['RECORD_SCHEMA_UNKNOWN', Buffer.concat([Buffer.from('c301', 'hex'), Buffer.alloc(8, 7), good.subarray(10)])],
  ['RECORD_SCHEMA_UNKNOWN', Buffer.concat([Buffer.from('0000000001', 'hex'), good.subarray(10)])],
  ['RECORD_UNDECODABLE', good.subarray(0, good.length - 3)],
  ['RECORD_UNDECODABLE', Buffer.concat([good, Buffer.from([0])])],
  ['RECORD_WRONG_TYPE', other],
]

const setUp = async (t: TestContext) => {
  const { mail } = await testServers()
  const address = `${uniqueName('bad')}@example.com`
  const smtp = { host: mail.host, port: mail.smtpPort, security: 'none', from: address }
  const auth = { user: address, password: 'any' }
  const imap = { host: mail.host, port: mail.imapPort, security: 'none', allowPlaintextAuth: true, auth }
  const { config, configFile } = await deploy(t, { main: { smtp, imap } })
  const { topics } = config.kafka
  const worker = new Worker(t, configFile)
  await worker.seen(({ event }) => event === 'Started')
  const request = (id: string, changes: Partial<SendRequestInput> = {}) =>
    codec.encode('SendRequest', { id, account: 'main', to: [address], text: 'x', ...changes }, topics.sendRequests)
  const command = (id: string, changes: Partial<MailboxCommandInput> = {}) =>
    codec.encode(
      'MailboxCommand',
      { id, account: 'main', action: 'MARK_SEEN', target: { all: true }, ...changes },
      topics.commands,
    )
  return { address, cluster: new Cluster(t, config), topics, worker, request, command }
}

const assertDeadLetters = async (
  cluster: Cluster,
  topic: string,
  sent: readonly (OutgoingRecord & { code: string })[],
): Promise<void> => {
  const dead = await cluster.take(topic, sent.length)
  const byKey = new Map(dead.map((record) => [record.key?.toString(), record]))
  assert.equal(byKey.size, sent.length)
  for (const { key, value, code, topic: source } of sent) {
    const record = byKey.get(String(key))
    assert.ok(record, `${key} is a dead letter`)
    assert.equal(headerOf(record, 'dead-letter-code'), code, String(key))
    assert.deepEqual(record.value, value)
    assert.equal(headerOf(record, 'traceparent'), traceparent)
    assert.match(headerOf(record, 'dead-letter-source') ?? '', new RegExp(`^${source}/\\d+/\\d+$`))
    assert.match(headerOf(record, 'dead-letter-at') ?? '', /^\d{4}-\d\d-\d\dT/)
    assert.ok(Number(headerOf(record, 'dead-letter-attempts')) >= 0)
    assert.ok(headerOf(record, 'dead-letter-reason'))
    assert.ok(headerOf(record, 'dead-letter-stage'))
  }
}

const withTrace = (record: OutgoingRecord): OutgoingRecord => ({
  ...record,
  headers: [header('traceparent', traceparent)],
})

test('malformed send requests end in the dead letters, each with its reason, and the rest is delivered', async (t) => {
  const { address, cluster, topics, worker, request, command } = await setUp(t)
  const topic = topics.sendRequests
  const cases = unreadable(await request('good'), await command('c')).map(([code, value], index) => {
    return { topic, key: `unreadable ${index}`, value, code }
  })
  const invalid = [
    { id: 'no recipient', code: 'REQUEST_INVALID', changes: { to: [] } },
    { id: 'bad address', code: 'REQUEST_INVALID', changes: { to: ['not an address'] } },
    { id: 'header injection', code: 'REQUEST_INVALID', changes: { subject: 'a\r\nBcc: x@example.com' } },
    { id: 'foreign sender', code: 'REQUEST_SENDER_NOT_ALLOWED', changes: { from: 'other@example.org' } },
    { id: 'no account', code: 'REQUEST_ACCOUNT_UNKNOWN', changes: { account: 'nobody' } },
  ]
  for (const { id, code, changes } of invalid) cases.push({ topic, key: id, value: await request(id, changes), code })
  const good = await Promise.all(
    cases.map(async (_, index) => ({ topic, key: `good ${index}`, value: await request(`good ${index}`) })),
  )
  await cluster.send(cases.flatMap((bad, index) => [withTrace(bad), good[index] ?? assert.fail()]))

  await assertDeadLetters(cluster, topics.deadLetters, cases)
  const results = await cluster.takeDecoded('SendResult', topics.sendResults, good.length + invalid.length)
  const statuses = new Map(results.map(({ id, status }) => [id, status]))
  for (const [index] of good.entries()) assert.equal(statuses.get(`good ${index}`), 'DELIVERED')
  for (const { id } of invalid) assert.equal(statuses.get(id), 'REJECTED')
  assert.equal(await worker.stop(), 0)
  assert.equal((await cluster.readAll(topics.sendResults)).length, results.length, 'one result each')
  assert.equal((await cluster.readAll(topics.deadLetters)).length, cases.length)
  for (const { error, id } of results) assert.doesNotMatch(error?.message ?? '', new RegExp(address), id)
})

test('malformed commands end in the dead letters, each with its reason, and the rest is carried out', async (t) => {
  const { cluster, topics, worker, request, command } = await setUp(t)
  const topic = topics.commands
  const cases = unreadable(await command('good'), await request('r')).map(([code, value], index) => {
    return { topic, key: `unreadable ${index}`, value, code }
  })
  const invalid = [
    { id: 'no destination', code: 'COMMAND_INVALID', changes: { action: 'MOVE' as const } },
    { id: 'no account', code: 'COMMAND_ACCOUNT_UNKNOWN', changes: { account: 'nobody' } },
  ]
  for (const { id, code, changes } of invalid) cases.push({ topic, key: id, value: await command(id, changes), code })
  await cluster.send(cases.map(withTrace))
  await cluster.send([
    { topic, key: 'main', value: await command('good') },
    { topic, key: 'main', value: await command('wrong', { target: { uids: [1], uidValidity: 1 } }) },
  ])

  await assertDeadLetters(cluster, topics.deadLetters, cases)
  const results = await cluster.takeDecoded('MailboxCommandResult', topics.commandResults, invalid.length + 2)
  const statuses = Object.fromEntries(results.map(({ id, status }) => [id, status]))
  assert.deepEqual(statuses, {
    'no destination': 'REJECTED',
    'no account': 'REJECTED',
    good: 'NOT_FOUND',
    wrong: 'REJECTED',
  })
  assert.equal(await worker.stop(), 0)
})
