/** What must not lose or repeat a message: each fault on a real worker and a real broker. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { startFakeS3 } from '../support/fake-s3.ts'
import { mail } from '../support/folder.ts'
import { ScriptFolder } from '../support/imap-fault-folder.ts'
import { startImapScriptServer, type ImapScriptServer } from '../support/imap-fault-server.ts'
import { KafkaProxy } from '../support/kafka-proxy.ts'
import { Cluster, codec, headerOf } from '../support/kafka.ts'
import { testServers } from '../support/servers.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { deploy, Worker } from '../support/worker.ts'

const imapOf = (port: number, changes: object = {}) => ({
  host: '127.0.0.1',
  port,
  security: 'none',
  allowPlaintextAuth: true,
  auth: { user: 'u', password: 'p' },
  ...changes,
})

const subjectsOf = async (cluster: Cluster, topic: string, count: number): Promise<(string | null)[]> => {
  await cluster.take(topic, count)
  const records = await cluster.readAll(topic)
  const messages = await Promise.all(records.map(({ value }) => codec.decode('InboundMessage', value)))
  return messages.map(({ subject }) => subject).sort()
}

const traced = (server: ImapScriptServer) => server.commands.map((line) => line.slice(0, 60)).slice(-8)

test('a half-open connection is found by an exchange, and what arrived meanwhile is published', async (t) => {
  const server = await startImapScriptServer(t)
  const proxy = await startTcpProxy(t, { host: '127.0.0.1', port: server.port })
  const imap = imapOf(proxy.port, { probeInterval: '1s', commandTimeout: '2s' })
  const receive = [{ folder: 'INBOX', start: 'earliest', poll: '1h' }]
  const { config, configFile } = await deploy(t, { main: { imap, receive } })
  const worker = new Worker(t, configFile)
  await worker.until(server.reached('IDLE'))
  const trouble = worker.next(({ event }) => event === 'FolderTrouble')
  proxy.swallow()
  server.deliver(mail('while it was cut off'))
  assert.match(String((await trouble)['code']), /^IMAP_(TIMEOUT|CONNECTION_LOST)$/)
  const subjects = await subjectsOf(new Cluster(t, config), config.kafka.topics.inbound, 1)
  assert.deepEqual(subjects, ['while it was cut off'])
  assert.ok(proxy.connections >= 2)
  assert.equal(await worker.stop(), 0)
})

test('an object store that is away for a while loses nothing', async (t) => {
  const server = await startImapScriptServer(t)
  const s3 = await startFakeS3(t)
  const { endpoint, bucket, accessKeyId } = s3.config
  const storage = { endpoint, bucket, accessKeyId, secretAccessKey: 'testtest', region: 'us-east-1', pathStyle: true }
  const receive = [{ folder: 'INBOX', start: 'earliest', after: 'delete' }]
  const { config, configFile } = await deploy(t, { main: { imap: imapOf(server.port), receive } }, { storage })
  s3.fault = () => 'reset'
  const names = Array.from({ length: 30 }, (_, n) => `m${n}`)
  for (const name of names) server.deliver(mail(name, 'content'))
  const worker = new Worker(t, configFile)
  await worker.seen(({ event, code }) => event === 'FolderTrouble' && code === 'STORAGE_UNREACHABLE')
  s3.fault = () => null
  assert.deepEqual(
    await subjectsOf(new Cluster(t, config), config.kafka.topics.inbound, names.length),
    names.toSorted(),
  )
  await worker.seen(({ event, published }) => event === 'FolderSynced' && published === names.length)
  assert.equal(await worker.stop(), 0)
  assert.equal(s3.objects.size, names.length)
  assert.equal(server.inbox.messages.length, 0)
})

test('a broker that is lost between any two steps of a transaction publishes each message once', async (t) => {
  const { brokers } = await testServers()
  const [broker = ''] = brokers
  const proxy = await KafkaProxy.start(t, broker)
  const server = await startImapScriptServer(t)
  const receive = [{ folder: 'INBOX', start: 'earliest', after: { move: 'Done' } }]
  const account = { main: { imap: imapOf(server.port), receive } }
  const { config, configFile } = await deploy(t, account, {}, {}, proxy.brokers)
  const cluster = new Cluster(t, { ...config, kafka: { ...config.kafka, brokers } })
  const worker = new Worker(t, configFile)
  await worker.until(server.reached('IDLE'))
  const names: string[] = []
  for (const api of ['AddPartitionsToTxn', 'Produce', 'AddOffsetsToTxn', 'TxnOffsetCommit', 'EndTxn'] as const) {
    for (const fault of ['lose-request', 'lose-response'] as const) {
      const struck = proxy.next(api, fault)
      names.push(`${api} ${fault}`)
      server.deliver(mail(names.at(-1) ?? ''))
      await worker.until(struck)
      await worker.until(cluster.take(config.kafka.topics.inbound, names.length))
    }
  }
  assert.deepEqual(await subjectsOf(cluster, config.kafka.topics.inbound, names.length), names.toSorted())
  while (server.inbox.messages.length > 0) await server.reached('UID MOVE', server.count('UID MOVE') + 1)
  assert.equal(await worker.stop(), 0)
  assert.equal(server.folder('Done').messages.length, names.length, traced(server).join('\n'))
})

test('a worker killed between a move and its result reports what was moved', async (t) => {
  let isFirst = true
  const server = await startImapScriptServer(t, {
    script: ({ verb }) => {
      if (verb !== 'UID MOVE' || !isFirst) return undefined
      isFirst = false
      return { stall: 'done' }
    },
  })
  for (const name of ['a', 'b']) server.deliver(mail(name))
  const { config, configFile } = await deploy(t, { main: { imap: imapOf(server.port) } })
  const { commands, commandResults } = config.kafka.topics
  const cluster = new Cluster(t, config)
  const command = {
    id: 'move',
    account: 'main',
    action: 'MOVE',
    fromFolder: 'INBOX',
    toFolder: 'Done',
    createFolder: true,
    flags: [],
    target: { all: true },
    folderSizeLimit: null,
  } as const
  const value = await codec.encode('MailboxCommand', { ...command, flags: [] }, commands)
  const first = new Worker(t, configFile)
  await first.seen(({ event }) => event === 'Started')
  // Without a key it may be in any partition, and is passed on.
  await cluster.send([
    { topic: commands, key: null, value, headers: [{ name: 'traceparent', value: Buffer.from('00-a') }] },
  ])
  await first.until(server.reached('UID MOVE'))
  await first.kill()
  server.deliver(mail('later'))
  const second = new Worker(t, configFile)
  const [record = assert.fail()] = await second.until(cluster.take(commandResults, 1))
  const result = await codec.decode('MailboxCommandResult', record.value)
  assert.deepEqual([result.status, result.matched, result.changed], ['DONE', 2, 2])
  assert.deepEqual(result.moved, [
    { fromUid: 1, toUid: 1 },
    { fromUid: 2, toUid: 2 },
  ])
  assert.equal(headerOf(record, 'traceparent'), '00-a')
  assert.equal(await second.stop(), 0)
  assert.equal((await cluster.readAll(commandResults)).length, 1)
  assert.equal(server.inbox.messages.length, 1, 'what came later is left alone')
})

test('a worker killed in the middle of a redelivery publishes each message again once', async (t) => {
  const count = 250
  let isStalled = true
  const server = await startImapScriptServer(t, {
    script: ({ verb, args }) =>
      isStalled && verb === 'UID FETCH' && args.startsWith('201:250') && args.includes('BODY.PEEK[]')
        ? { stall: true }
        : undefined,
  })
  for (let n = 1; n <= count; n += 1) server.inbox.add(mail(`m${n}`))
  const { config, configFile } = await deploy(t, { main: { imap: imapOf(server.port), receive: [] } })
  const { inbound, commands, commandResults } = config.kafka.topics
  const cluster = new Cluster(t, config)
  const command = { id: 'again', account: 'main', action: 'REDELIVER', fromFolder: 'INBOX', toFolder: null } as const
  const rest = { createFolder: true, flags: [], target: { all: true }, folderSizeLimit: null }
  const value = await codec.encode('MailboxCommand', { ...command, ...rest }, commands)
  const first = new Worker(t, configFile)
  await first.seen(({ event }) => event === 'Started')
  await cluster.send([{ topic: commands, key: 'main', value }])
  await first.until(cluster.take(inbound, 100))
  while (!server.commands.some((line) => line.includes('UID FETCH 201:250'))) await once(server, 'command')
  await first.kill()
  isStalled = false
  server.deliver(mail('later'))
  const second = new Worker(t, configFile)
  const [record = assert.fail()] = await second.until(cluster.take(commandResults, 1))
  const { status, matched, changed } = await codec.decode('MailboxCommandResult', record.value)
  assert.deepEqual([status, matched, changed], ['DONE', count, count])
  const published = await cluster.readAll(inbound)
  assert.equal(published.length, count)
  assert.equal(new Set(published.map(({ key }) => key?.toString())).size, count)
  assert.ok(published.every((one) => headerOf(one, 'mail-redelivered') === 'true'))
  assert.equal(await second.stop(), 0)
})

test('an account that may have one connection has one, for all its folders and its commands', async (t) => {
  const server = await startImapScriptServer(t)
  for (const name of ['Sales', 'Support']) server.folders.set(name, new ScriptFolder())
  for (const folder of server.folders.values()) folder.add(mail('early'))
  const receive = ['INBOX', 'Sales', 'Support'].map((folder) => ({ folder, start: 'earliest', poll: '1s' }))
  const account = { main: { imap: imapOf(server.port, { connections: 1 }), receive } }
  const { config, configFile } = await deploy(t, account)
  const { inbound, commands, commandResults } = config.kafka.topics
  const cluster = new Cluster(t, config)
  const worker = new Worker(t, configFile)
  await worker.until(server.reached('IDLE'))
  await worker.until(cluster.take(inbound, 3))
  const command = { id: 'c', account: 'main', action: 'MOVE', fromFolder: 'Sales', toFolder: 'Support' } as const
  const rest = { createFolder: true, flags: [], target: { all: true }, folderSizeLimit: null }
  const value = await codec.encode('MailboxCommand', { ...command, ...rest }, commands)
  await cluster.send([{ topic: commands, key: 'main', value }])
  const [record = assert.fail()] = await worker.until(cluster.take(commandResults, 1))
  assert.equal((await codec.decode('MailboxCommandResult', record.value)).status, 'DONE')
  await worker.until(cluster.take(inbound, 4))
  assert.equal(server.connections, 1)
  assert.equal(await worker.stop(), 0)
})
