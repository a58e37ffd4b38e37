import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server } from 'node:net'
import { test, type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Awaited } from '../../src/readiness.ts'
import { Cluster, codec } from '../support/kafka.ts'
import { pythonWith } from '../support/python.ts'
import { testServers, uniqueName } from '../support/servers.ts'
import { deploy, Worker } from '../support/worker.ts'

interface Sample {
  name: string
  labels: Record<string, string>
  value: number
}

/** Where a worker with `http: { port: 0 }` listens. */
const urlOf = async (worker: Worker): Promise<string> =>
  String((await worker.seen(({ event }) => event === 'Listening'))['url'])

const readiness = async (url: string): Promise<{ status: number; awaited: Awaited[] }> => {
  const answer = await fetch(`${url}/readyz`)
  const { ready, awaited } = (await answer.json()) as { ready: boolean; awaited: Awaited[] }
  assert.deepEqual([ready, ready], [answer.status === 200, awaited.length === 0])
  return { status: answer.status, awaited }
}

/** As an orchestrator waits. */
const until = async (isTrue: () => Promise<boolean>): Promise<void> => {
  while (!(await isTrue())) await delay(50)
}

const untilReady = (url: string) => until(async () => (await readiness(url)).status === 200)

const python = () => pythonWith('prometheus-client==0.25.0')
const script = new URL('../support/python/check_metrics.py', import.meta.url).pathname

const scrape = async (url: string): Promise<Sample[]> => {
  const answer = await fetch(`${url}/metrics`)
  return JSON.parse(await (await python())(script, [], await answer.text())) as Sample[]
}

const find = (samples: readonly Sample[], name: string, labels: Record<string, string> = {}): number | undefined =>
  samples.find((one) => one.name === name && Object.entries(labels).every(([key, value]) => one.labels[key] === value))
    ?.value

/** Whose INBOX this worker has synced. */
const syncedAccounts = async (url: string): Promise<unknown[]> =>
  (await scrape(url))
    .filter(({ name }) => name === 'posthorn_folder_last_synced_seconds')
    .map(({ labels }) => labels['account'])
    .sort()

/** Passes connections on to another port. */
const forward = async (t: TestContext, to: number, port = 0): Promise<Server> => {
  const server = createServer((client) => {
    const upstream = connect(to, '127.0.0.1')
    client.pipe(upstream).pipe(client)
    client.on('error', () => upstream.destroy())
    upstream.on('error', () => client.destroy())
    t.after(() => client.destroy())
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return server
}

const http = { port: 0 }

const accountOn = (host: string, smtpPort: number, imapPort: number, address: string) => ({
  smtp: { host, port: smtpPort, security: 'none', from: address },
  imap: { host, port: imapPort, security: 'none', allowPlaintextAuth: true, auth: { user: address, password: 'any' } },
  receive: [{ folder: 'INBOX', start: 'earliest', poll: '1s' }],
})

test('/readyz names the folder that has not been synced, and says 200 once it has', async (t) => {
  const { mail } = await testServers()
  const address = `${uniqueName('ready')}@example.com`
  const closed = await forward(t, mail.imapPort)
  const { port } = closed.address() as AddressInfo
  closed.close()
  await once(closed, 'close')
  const { configFile } = await deploy(t, { support: accountOn(mail.host, mail.smtpPort, port, address) }, { http })
  const worker = new Worker(t, configFile)
  const url = await urlOf(worker)
  assert.equal((await fetch(`${url}/healthz`)).status, 200, 'alive from the start')
  await worker.seen(({ event }) => event === 'FolderTrouble')
  await until(async () => {
    const { status, awaited } = await readiness(url)
    assert.equal(status, 503)
    return awaited.length === 1 && awaited[0]?.what === 'folder'
  })
  assert.deepEqual((await readiness(url)).awaited, [{ what: 'folder', account: 'support', folder: 'INBOX' }])

  await forward(t, mail.imapPort, port)
  await untilReady(url)
  assert.deepEqual(await syncedAccounts(url), ['support'])
  assert.equal(await worker.stop(), 0)
  await assert.rejects(fetch(`${url}/healthz`), 'nothing listens any more')
})

test('/metrics counts what a worker did in a form that Prometheus reads, and holds nothing of the mail', async (t) => {
  const { mail } = await testServers()
  const address = `${uniqueName('metrics')}@example.com`
  const account = accountOn(mail.host, mail.smtpPort, mail.imapPort, address)
  const { config, configFile } = await deploy(t, { support: account }, { http })
  const { topics } = config.kafka
  const worker = new Worker(t, configFile)
  const url = await urlOf(worker)
  await untilReady(url)
  const cluster = new Cluster(t, config)
  const request = (id: string, to: string, name = 'support') =>
    codec.encode('SendRequest', { id, account: name, to: [to], subject: 'geheim', text: 'x' }, topics.sendRequests)
  await cluster.send([
    { topic: topics.sendRequests, key: null, value: await request('1', address) },
    { topic: topics.sendRequests, key: null, value: await request('2', 'no address') },
    { topic: topics.sendRequests, key: null, value: await request('3', address, 'somebody"else') },
    { topic: topics.sendRequests, key: null, value: Buffer.from('?') },
  ])
  await cluster.take(topics.sendResults, 3)
  await cluster.take(topics.deadLetters, 3)
  await worker.seen(({ event, published }) => event === 'FolderSynced' && published === 1)

  const samples = await scrape(url)
  const results = 'posthorn_send_results_total'
  assert.equal(find(samples, results, { account: 'support', status: 'DELIVERED', code: '' }), 1)
  assert.equal(find(samples, results, { account: 'support', status: 'REJECTED', code: 'REQUEST_INVALID' }), 1)
  assert.equal(find(samples, results, { account: 'unknown', status: 'REJECTED' }), 1)
  assert.equal(find(samples, 'posthorn_dead_letters_total', { code: 'RECORD_UNRECOGNIZED' }), 1)
  assert.equal(find(samples, 'posthorn_messages_received_total', { account: 'support', folder: 'INBOX' }), 1)
  assert.equal(find(samples, 'posthorn_owned_partitions', { role: 'receive' }), 4)
  assert.equal(find(samples, 'posthorn_ready'), 1)
  assert.ok((find(samples, 'process_resident_memory_bytes') ?? 0) > 1e7)
  assert.doesNotMatch(JSON.stringify(samples), /geheim|@|somebody/)
  assert.equal(await worker.stop(), 0)
})

test('/readyz is right through a rebalance, and when a worker is killed', async (t) => {
  const { mail } = await testServers()
  const name = uniqueName('rebalance')
  const accounts = Object.fromEntries(
    ['a', 'b', 'c', 'd', 'e', 'f'].map((key) => {
      return [key, accountOn(mail.host, mail.smtpPort, mail.imapPort, `${name}-${key}@example.com`)]
    }),
  )
  const { configFile } = await deploy(t, accounts, { http })
  const first = new Worker(t, configFile)
  const firstUrl = await urlOf(first)
  await untilReady(firstUrl)
  const owned = async (url: string) => find(await scrape(url), 'posthorn_owned_partitions', { role: 'receive' })
  assert.deepEqual(await syncedAccounts(firstUrl), Object.keys(accounts), 'ready means that every folder was synced')

  const second = new Worker(t, configFile)
  const secondUrl = await urlOf(second)
  await untilReady(secondUrl)
  assert.equal(await owned(secondUrl), 2, 'the second worker is ready with its half')
  await untilReady(firstUrl)
  assert.equal(await owned(firstUrl), 2)

  await first.kill()
  // Its partitions are missed after a session timeout; from the join on the folders of both halves are awaited.
  await second.seen(({ event, role, partitions }) => {
    return event === 'GroupJoined' && role === 'receive' && Array.isArray(partitions) && partitions.length === 4
  })
  await untilReady(secondUrl)
  assert.deepEqual(await syncedAccounts(secondUrl), Object.keys(accounts))
  assert.equal(await second.stop(), 0)
})

test('a port that is taken is one sentence and exit code 2, and nothing keeps running', async (t) => {
  const taken = await forward(t, 1)
  const { port } = taken.address() as AddressInfo
  const { configFile } = await deploy(t, {}, { http: { port } })
  const worker = new Worker(t, configFile)
  assert.equal(await worker.exited, 2)
  assert.deepEqual(
    worker.log.map(({ text }) => text),
    [
      `posthorn: http: can't listen on 127.0.0.1:${port}: the port is taken (ENVIRONMENT_UNSUITABLE)`,
      '  → End what listens there, or set http.port to another one (0: any free one).',
    ],
  )
})
