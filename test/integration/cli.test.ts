/** What a person does about records that went wrong, by the command line, on a real cluster. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { Cluster, codec } from '../support/kafka.ts'
import { testServers, uniqueName } from '../support/servers.ts'
import { deploy, Worker } from '../support/worker.ts'

const command = new URL('../../bin/posthorn.js', import.meta.url).pathname

interface Ran {
  code: number
  stdout: string
  stderr: string
}

const posthorn = (configFile: string, ...args: string[]): Promise<Ran> =>
  new Promise((resolve) => {
    execFile(process.execPath, [command, ...args, '--config', configFile], (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout, stderr })
    })
  })

const json = ({ code, stdout, stderr }: Ran): Record<string, unknown[]> => {
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout) as Record<string, unknown[]>
}

test('a dead letter is replayed once its cause is mended, exactly once, and others are discarded', async (t) => {
  const { mail } = await testServers()
  const address = `${uniqueName('replay')}@example.com`
  const account = { smtp: { host: mail.host, port: mail.smtpPort, security: 'none', from: address } }
  const { config, configFile } = await deploy(t, { main: account })
  const { sendRequests, sendResults, deadLetters } = config.kafka.topics
  const cluster = new Cluster(t, config)
  const request = (id: string, to: string) =>
    codec.encode('SendRequest', { id, account: 'main', from: 'other@example.com', to: [to], text: 'x' }, sendRequests)
  const worker = new Worker(t, configFile)
  await cluster.send([
    { topic: sendRequests, key: 'a', value: await request('mendable', address) },
    { topic: sendRequests, key: 'b', value: Buffer.from('junk') },
  ])
  await cluster.take(deadLetters, 2)
  assert.equal(await worker.stop(), 0)

  const { configFile: mended } = await deploy(
    t,
    { main: { smtp: { ...account.smtp, allowedFrom: ['*@example.com'] } } },
    {
      kafka: {
        brokers: config.kafka.brokers,
        group: config.kafka.group,
        topics: { ...config.kafka.topics, replication: 1 },
      },
    },
  )
  const listed = json(await posthorn(mended, 'dead-letters', 'list', '--json'))['deadLetters'] ?? []
  assert.equal(listed.length, 2)
  const choice = ['--code', 'REQUEST_SENDER_NOT_ALLOWED', '--json']
  assert.equal(json(await posthorn(mended, 'dead-letters', 'replay', ...choice))['replayed']?.length, 1)
  assert.deepEqual(json(await posthorn(mended, 'dead-letters', 'replay', ...choice))['replayed'], [], 'it is done')
  assert.equal(json(await posthorn(mended, 'dead-letters', 'discard', '--all', '--json'))['discarded']?.length, 1)
  assert.deepEqual(json(await posthorn(mended, 'dead-letters', 'list', '--json'))['deadLetters'], [])

  const second = new Worker(t, mended)
  const results = await cluster.takeDecoded('SendResult', sendResults, 2)
  assert.deepEqual(
    results.map(({ status }) => status),
    ['REJECTED', 'DELIVERED'],
  )
  assert.equal(await second.stop(), 0)
  assert.equal((await cluster.readAll(deadLetters)).length, 2)
  assert.equal((await cluster.readAll(sendResults)).length, 2)
})

test('a checkpoint can be reset while nobody receives, and the folder is then read from its beginning', async (t) => {
  const { mail } = await testServers()
  const address = `${uniqueName('reset')}@example.com`
  const auth = { user: address, password: 'any' }
  const imap = { host: mail.host, port: mail.imapPort, security: 'none', allowPlaintextAuth: true, auth }
  const smtp = { host: mail.host, port: mail.smtpPort, security: 'none', from: address }
  const receive = [{ folder: 'INBOX', start: 'earliest', poll: '1s' }]
  const { config, configFile } = await deploy(t, { main: { smtp, imap, receive } })
  const { inbound } = config.kafka.topics
  const cluster = new Cluster(t, config)
  const worker = new Worker(t, configFile)
  await worker.seen(({ event }) => event === 'Started')
  const sent = await posthorn(configFile, 'send', '--account', 'main', '--to', address, '--text', 'x', '--wait')
  assert.equal(sent.code, 0, sent.stderr)
  await cluster.take(inbound, 1)
  await worker.seen(({ event, published }) => event === 'FolderSynced' && published === 1)

  const reset = ['checkpoints', 'reset', '--account', 'main', '--folder', 'INBOX']
  const refused = await posthorn(configFile, ...reset)
  assert.deepEqual([refused.code, /1 worker/.test(refused.stderr)], [2, true], refused.stderr)
  assert.equal(await worker.stop(), 0)
  const done = await posthorn(configFile, ...reset)
  assert.equal(done.code, 0, done.stderr)

  const second = new Worker(t, configFile)
  const messages = await cluster.takeDecoded('InboundMessage', inbound, 2)
  assert.equal(messages[0]?.dedupeId, messages[1]?.dedupeId)
  assert.equal(await second.stop(), 0)
})
