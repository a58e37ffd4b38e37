import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { parse, stringify } from 'yaml'

import { testDovecot } from '../support/dovecot.ts'
import { Cluster, codec } from '../support/kafka.ts'
import { sendRequest } from '../support/send-request.ts'
import { testServers } from '../support/servers.ts'
import { deploy, Worker } from '../support/worker.ts'

const letter = (subject: string): string => `Subject: ${subject}\r\n\r\n${subject}\r\n`

test('SIGHUP adds, changes and removes accounts without touching the others; a wrong configuration is not taken over', async (t) => {
  const dovecot = await testDovecot({ alone: true })
  t.after(() => dovecot.release())
  const { mail } = await testServers()
  const [kept, changed, added] = [dovecot.newUser('kept'), dovecot.newUser('changed'), dovecot.newUser('added')]
  const account = ({ user, password }: typeof kept, folder = 'INBOX') => ({
    smtp: { host: mail.host, port: mail.smtpPort, security: 'none', from: 'me@example.com' },
    imap: {
      host: '127.0.0.1',
      port: dovecot.imapPort,
      security: 'starttls',
      caFile: 'ca.pem',
      auth: { user, password },
    },
    receive: [{ folder, start: 'earliest' }],
  })
  const files = { 'ca.pem': dovecot.certificates.ca }
  const { config, configFile } = await deploy(t, { kept: account(kept), changed: account(changed) }, {}, files)
  const { topics } = config.kafka
  const cluster = new Cluster(t, config)
  const worker = new Worker(t, configFile)
  const rewrite = async (change: (written: { accounts: Record<string, object>; limits?: object }) => void) => {
    const written = parse(await readFile(configFile, 'utf8')) as { accounts: Record<string, object> }
    change(written)
    await writeFile(configFile, stringify(written))
    worker.reload()
  }
  const send = async (id: string, account: string) => {
    const value = await codec.encode('SendRequest', sendRequest({ id, account, text: id }), topics.sendRequests)
    await cluster.send([{ topic: topics.sendRequests, key: id, value }])
  }
  const logins = async ({ user }: typeof kept): Promise<number> =>
    (await dovecot.log()).split(`Login: user=<${user}>`).length - 1

  await worker.seen(({ event }) => event === 'Started')
  await dovecot.deliver(kept, [letter('kept 1')])
  await dovecot.deliver(changed, [letter('changed 1')])
  await cluster.take(topics.inbound, 2)

  await rewrite(({ accounts }) => {
    accounts['kept'] = { ...accounts['kept'], nonsense: true }
  })
  const rejected = await worker.seen(({ event }) => event === 'ConfigRejected')
  assert.equal(rejected['code'], 'CONFIG_INVALID')

  await rewrite(({ accounts }) => {
    accounts['kept'] = account(kept)
    accounts['changed'] = {
      ...account(changed),
      receive: [{ folder: 'INBOX' }, { folder: 'Archive', start: 'earliest' }],
    }
    accounts['added'] = account(added)
  })
  const reloaded = await worker.seen(({ event }) => event === 'ConfigReloaded')
  assert.deepEqual(
    [reloaded['added'], reloaded['changed'], reloaded['removed'], reloaded['restartNeeded']],
    [['added'], ['changed'], [], []],
  )
  await dovecot.deliver(added, [letter('added 1')])
  await dovecot.deliver(changed, [letter('changed 2')])
  await dovecot.deliver(changed, [letter('changed 3')], 'Archive')
  await dovecot.deliver(kept, [letter('kept 2')])
  await send('s1', 'added')
  const subjects = (await cluster.takeDecoded('InboundMessage', topics.inbound, 6)).map(({ subject }) => subject)
  assert.deepEqual(subjects.sort(), ['added 1', 'changed 1', 'changed 2', 'changed 3', 'kept 1', 'kept 2'])
  assert.equal(await logins(kept), 1)

  await rewrite((written) => {
    delete written.accounts['added']
    written.limits = { maxParts: 99 }
  })
  const again = await worker.seen(({ event, removed }) => event === 'ConfigReloaded' && String(removed) === 'added')
  assert.deepEqual([again['changed'], again['restartNeeded']], [[], ['limits']])
  await send('s2', 'added')
  await send('s3', 'kept')
  const results = await cluster.takeDecoded('SendResult', topics.sendResults, 3)
  assert.deepEqual(
    new Map(results.map(({ id, status, error }) => [id, error?.code ?? status])),
    new Map([
      ['s1', 'DELIVERED'],
      ['s2', 'REQUEST_ACCOUNT_UNKNOWN'],
      ['s3', 'DELIVERED'],
    ]),
  )
  assert.equal(await logins(kept), 1)
  assert.equal(await worker.stop(), 0)
  assert.equal((await cluster.readAll(topics.inbound)).length, 6)
})
