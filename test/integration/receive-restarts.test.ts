/** Servers of the test's own that die and come back under a running worker. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Lane } from '../../bench/receive/campaign.ts'
import { readCacheSettings } from '../../src/embedded/cache-settings.ts'
import { fetchJars } from '../../src/embedded/fetch-jars.ts'
import { findJava } from '../../src/embedded/java.ts'
import { startKafka } from '../../src/embedded/kafka-server.ts'
import { Supervisor } from '../../src/embedded/supervisor.ts'
import { testDovecot } from '../support/dovecot.ts'
import { mail } from '../support/folder.ts'
import { Cluster } from '../support/kafka.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { deploy, Worker } from '../support/worker.ts'

/** IDLE tells at once; where Dovecot fails to (it has too many watches), `poll` does. */
const poll = '20s'
const backWithinMs = 60_000

test('a mail server that is killed and started again loses and repeats nothing, and is listened to again', async (t) => {
  const dovecot = await testDovecot({ alone: true })
  const users = Array.from({ length: 5 }, () => dovecot.newUser('restarted').user)
  const accounts = users.map((user, index) => {
    const imap = {
      host: dovecot.host,
      port: dovecot.imapPort,
      security: 'none',
      allowPlaintextAuth: true,
      auth: { user, password: 'secret' },
    }
    const after = index % 2 === 0 ? 'none' : { move: 'Done' }
    return [user, { imap, receive: [{ folder: 'INBOX', start: 'earliest', after, poll }] }] as const
  })
  const { config, configFile } = await deploy(t, Object.fromEntries(accounts))
  const cluster = new Cluster(t, config)
  const deliverToAll = async (what: string, count: number) => {
    const mails = Array.from({ length: count }, (_, n) => mail(`${what} ${n}`, 'content'))
    for (const user of users) await dovecot.deliver({ user }, mails)
  }
  let expected = 0
  const published = async (count: number) => {
    expected += count * users.length
    await worker.until(cluster.take(config.kafka.topics.inbound, expected))
  }
  const allSynced = async (upTo: number) => {
    for (const user of users) {
      await worker.seen(({ event, account, lastUid }) => {
        return event === 'FolderSynced' && account === user && lastUid === upTo
      })
    }
  }
  await deliverToAll('before', 100)
  const worker = new Worker(t, configFile)
  await worker.seen(({ event }) => event === 'Started')
  // In the middle of the backlog.
  await worker.until(cluster.take(config.kafka.topics.inbound, 100))
  for (const round of [1, 2]) {
    const troubled = worker.next(({ event }) => event === 'FolderTrouble')
    await dovecot.kill()
    await deliverToAll(`while it was away ${round}`, 10)
    await troubled
    await dovecot.start()
    await published(round === 1 ? 110 : 10)
  }
  await allSynced(120)
  const begun = Date.now()
  await deliverToAll('after', 1)
  await published(1)
  assert.ok(Date.now() - begun < backWithinMs, `${Date.now() - begun} ms`)
  await allSynced(121)
  assert.equal(await worker.stop(), 0)
  const records = await cluster.readAll(config.kafka.topics.inbound)
  assert.equal(records.length, expected)
  assert.equal(new Set(records.map(({ key }) => key?.toString())).size, expected)
  for (const [index, user] of users.entries()) {
    assert.equal((await dovecot.files({ user })).length, index % 2 === 0 ? 121 : 0)
  }
})

test('a broker that is killed and started again in the middle of receiving leaves each message once, with its objects', async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'posthorn-broker-'))
  const supervisor = new Supervisor()
  t.after(async () => {
    await supervisor.close()
    await rm(dataDir, { recursive: true, force: true })
  })
  const { signal } = new AbortController()
  const settings = { ...readCacheSettings(process.env, homedir()), onProgress: () => undefined }
  const { path: java } = await findJava(settings)
  const { kafka: jars } = await fetchJars(['kafka'], { ...settings, signal })
  const options = { supervisor, java, jars, dataDir, signal }
  const broker = await startKafka(options)

  const lane = new Lane(t, await testDovecot(), seededRandom(11))
  await lane.deliver(150)
  await lane.start(1, broker.brokers)
  await lane.published(20)
  const delivered = lane.deliver(100)
  await broker.process.kill()
  await delivered
  await startKafka({ ...options, port: broker.port })
  const { messages, lost, repeated, damagedObjects, deadLetters, undoneAfterRead, objects } = await lane.check()
  assert.deepEqual(
    { messages, lost, repeated, damagedObjects, deadLetters, undoneAfterRead },
    { messages: 250, lost: 0, repeated: 0, damagedObjects: 0, deadLetters: 0, undoneAfterRead: 0 },
  )
  assert.ok(objects > 40)
})
