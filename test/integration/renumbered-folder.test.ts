/** UIDVALIDITY changes on a real Dovecot (RFC 3501 2.3.1.1). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testDovecot } from '../support/dovecot.ts'
import { mail } from '../support/folder.ts'
import { Cluster } from '../support/kafka.ts'
import { deploy, Worker } from '../support/worker.ts'

const policies = ['reseed', 'reconcile', 'replay'] as const

test('a folder that Dovecot has renumbered, or that was deleted and made again, goes on as its rule says', async (t) => {
  const dovecot = await testDovecot()
  const { user: recreated, password } = dovecot.newUser('recreated')
  const users = policies.map((policy) => [policy, dovecot.newUser(policy).user] as const)
  const accountOf = (user: string, rule: object) => {
    const auth = { user, password }
    const server = { host: dovecot.host, port: dovecot.imapPort, security: 'none', allowPlaintextAuth: true }
    // Dovecot does not tell a client that idles in a deleted folder before it asks for something.
    const imap = { ...server, auth, probeInterval: '1s' }
    return [user, { imap, receive: [{ start: 'earliest', poll: '1h', ...rule }] }] as const
  }
  const { config, configFile } = await deploy(
    t,
    Object.fromEntries([
      ...users.map(([uidValidityChanged, user]) => accountOf(user, { folder: 'INBOX', uidValidityChanged })),
      accountOf(recreated, { folder: 'Work' }),
    ]),
  )
  const { inbound } = config.kafka.topics
  const cluster = new Cluster(t, config)
  const settled = mail('settled')
  for (const [, user] of users) await dovecot.deliver({ user }, [settled, mail('a'), settled])
  await dovecot.deliver({ user: recreated }, [settled, mail('a')], 'Work')
  const first = new Worker(t, configFile)
  await first.seen(({ event }) => event === 'Started')
  await first.until(cluster.take(inbound, 11))

  // Under the eyes of the worker.
  const changed = first.next(({ event, account }) => event === 'UidValidityChanged' && account === recreated)
  await dovecot.recreate({ user: recreated }, 'Work')
  await changed
  await dovecot.deliver({ user: recreated }, [mail('b')], 'Work')
  await first.until(cluster.take(inbound, 12))
  assert.equal(await first.stop(), 0)

  for (const [, user] of users) {
    await dovecot.deliver({ user }, [mail('meanwhile')])
    await dovecot.renumber({ user })
  }
  const second = new Worker(t, configFile)
  for (const [policy, user] of users) {
    await second.seen((line) => line.event === 'UidValidityChanged' && line['account'] === user)
    const count = policy === 'replay' ? 4 : 1
    await second.seen(({ event, account, published }) => {
      return event === 'FolderSynced' && account === user && published === count
    })
  }
  assert.equal(await second.stop(), 0)

  const published = await cluster.takeDecoded('InboundMessage', inbound, 18)
  assert.equal((await cluster.readAll(inbound)).length, 18)
  const subjectsOf = (user: string) =>
    published.flatMap(({ account, subject }) => (account === user ? [subject] : [])).sort()
  const once = ['a', 'meanwhile', 'settled', 'settled']
  for (const [policy, user] of users) {
    const expected = policy === 'replay' ? [...once, 'a', 'settled', 'settled'].sort() : once
    assert.deepEqual(subjectsOf(user), expected, policy)
  }
  assert.deepEqual(subjectsOf(recreated), ['a', 'b', 'settled'])
  assert.equal(new Set(published.map(({ dedupeId }) => dedupeId)).size, 18)
})
