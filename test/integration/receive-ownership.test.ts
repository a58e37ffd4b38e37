/** Who holds which mailbox, while workers come, go, die and wake up again. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { partitionFor } from '../../src/kafka/partition-for.ts'
import { mail } from '../support/folder.ts'
import { startImapScriptServer, type ImapScriptServer } from '../support/imap-fault-server.ts'
import { Cluster } from '../support/kafka.ts'
import { deploy, Worker, type Scope } from '../support/worker.ts'

const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']

const setUp = async (t: Parameters<typeof startImapScriptServer>[0], after: unknown) => {
  const servers = new Map<string, ImapScriptServer>()
  for (const name of names) servers.set(name, await startImapScriptServer(t))
  const accounts = [...servers].map(([name, { port }]) => {
    const imap = {
      host: '127.0.0.1',
      port,
      security: 'none',
      allowPlaintextAuth: true,
      auth: { user: 'u', password: 'p' },
    }
    return [name, { imap, receive: [{ folder: 'INBOX', start: 'earliest', after }] }] as const
  })
  const deployment = await deploy(t, Object.fromEntries(accounts))
  return { servers, ...deployment, cluster: new Cluster(t, deployment.config) }
}

const listening = (servers: Map<string, ImapScriptServer>) =>
  Promise.all([...servers.values()].map((server) => server.reached('IDLE')))

const start = async (t: Scope, configFile: string): Promise<Worker> => {
  const worker = new Worker(t, configFile)
  await worker.seen(({ event }) => event === 'Started')
  return worker
}

test('a second worker takes half of the mailboxes over; the others keep their connections', async (t) => {
  const { servers, configFile, config, cluster } = await setUp(t, 'none')
  const first = await start(t, configFile)
  await first.until(listening(servers))
  const before = new Map([...servers].map(([name, { connections }]) => [name, connections]))
  const second = await start(t, configFile)
  const joined = await second.seen(({ event, role, partitions }) => {
    return event === 'GroupJoined' && role === 'receive' && (partitions as number[]).length === 2
  })
  const moves = (name: string) => (joined['partitions'] as number[]).includes(partitionFor(name, 4))
  assert.ok(names.some(moves) && !names.every(moves))
  for (const [name, server] of servers) {
    while (moves(name) && server.connections === before.get(name)) await once(server, 'command')
    server.deliver(mail(`to ${name}`))
  }
  await cluster.take(config.kafka.topics.inbound, names.length)
  for (const [name, { connections }] of servers) {
    assert.equal(connections - (before.get(name) ?? 0), moves(name) ? 1 : 0, `new connections of ${name}`)
  }
  assert.equal(await second.stop(), 0)
  assert.equal(await first.stop(), 0)
  assert.equal((await cluster.readAll(config.kafka.topics.inbound)).length, names.length)
})

test('a worker that was frozen and wakes up publishes nothing twice and touches no mailbox of its successor', async (t) => {
  const { servers, configFile, config, cluster } = await setUp(t, { move: 'Done' })
  const { inbound } = config.kafka.topics
  const frozen = await start(t, configFile)
  await frozen.until(listening(servers))
  for (const server of servers.values()) server.deliver(mail('before'))
  await cluster.take(inbound, names.length)
  const rejoined = frozen.next(({ event }) => event === 'GroupJoined').catch(() => null)
  frozen.freeze()
  // Under way in the frozen one, or not yet seen by it.
  for (const server of servers.values()) server.deliver(mail('meanwhile'))
  const successor = await start(t, configFile)
  await cluster.take(inbound, 2 * names.length)
  frozen.thaw()
  await rejoined
  for (const server of servers.values()) server.deliver(mail('afterwards'))
  await cluster.take(inbound, 3 * names.length)
  const exit = await Promise.race([frozen.exited, frozen.stop()])
  assert.equal(exit, 0)
  assert.equal(await successor.stop(), 0)
  const records = await cluster.readAll(inbound)
  assert.equal(records.length, 3 * names.length)
  assert.equal(new Set(records.map(({ key }) => key?.toString())).size, records.length)
})
