/** SIGTERM in whatever a worker is just doing: exit code 0, within the 20 seconds that an orchestrator is promised. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { test, type TestContext } from 'node:test'
import { Cluster, codec } from '../support/kafka.ts'
import { testServers, uniqueName } from '../support/servers.ts'
import { deploy, Worker } from '../support/worker.ts'

const promisedMs = 20_000

const assertStops = async (worker: Worker): Promise<void> => {
  const toldAt = performance.now()
  assert.equal(await worker.stop(), 0)
  assert.ok(performance.now() - toldAt < promisedMs)
  assert.deepEqual(
    worker.log.filter(({ text }) => text !== undefined && text !== 'posthorn: building'),
    [],
    'it logs, and prints nothing else',
  )
}

/** Takes connections, says `greeting`, and nothing more. */
const mute = async (t: TestContext, greeting = ''): Promise<{ server: Server; port: number }> => {
  const server = createServer((socket) => {
    t.after(() => socket.destroy())
    socket.on('error', () => undefined)
    socket.write(greeting)
  })
  server.listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  return { server, port: (server.address() as AddressInfo).port }
}

test('SIGTERM ends a worker that waits for a broker which never answers', async (t) => {
  const { server, port } = await mute(t)
  const { configFile } = await deploy(t, {}, { kafka: { brokers: [`127.0.0.1:${port}`] } })
  const worker = new Worker(t, configFile)
  await once(server, 'connection')
  await assertStops(worker)
})

test('SIGTERM ends a worker in the middle of an SMTP dialogue that has stalled, and the request stays', async (t) => {
  const stalled = await mute(t, '220 mail.example.com ESMTP\r\n')
  const account = { smtp: { host: '127.0.0.1', port: stalled.port, security: 'none', from: 'a@example.com' } }
  const { config, configFile } = await deploy(t, { main: account })
  const cluster = new Cluster(t, config)
  const { sendRequests, sendResults, deadLetters } = config.kafka.topics
  const worker = new Worker(t, configFile)
  await worker.seen(({ event }) => event === 'Started')
  const connected = once(stalled.server, 'connection')
  const value = await codec.encode(
    'SendRequest',
    { id: '1', account: 'main', to: ['b@example.com'], text: 'x' },
    sendRequests,
  )
  await cluster.send([{ topic: sendRequests, key: null, value }])
  await connected
  await assertStops(worker)
  assert.deepEqual(await cluster.readAll(sendResults), [])
  assert.deepEqual(await cluster.readAll(deadLetters), [])
})

test('SIGTERM ends a worker that waits in IDLE, and one that an IMAP server keeps waiting', async (t) => {
  const { mail } = await testServers()
  const stalled = await mute(t, '* OK ready\r\n')
  const auth = { user: `${uniqueName('idle')}@example.com`, password: 'any' }
  const receive = [{ folder: 'INBOX', idle: true, poll: '10m' }]
  const imap = { host: mail.host, security: 'none', allowPlaintextAuth: true, auth }
  const { configFile } = await deploy(t, {
    idle: { imap: { ...imap, port: mail.imapPort }, receive },
    stalled: { imap: { ...imap, port: stalled.port }, receive },
  })
  const connected = once(stalled.server, 'connection')
  const worker = new Worker(t, configFile, ['--debug'])
  await worker.seen(({ event, account }) => event === 'FolderSynced' && account === 'idle')
  await connected
  await assertStops(worker)
})
