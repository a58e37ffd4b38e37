/**
 * Many mailboxes idling in one process: `npm run bench:idle`. Memory, processor time at rest, and the time until all are
 * connected and synced again after the server restarts, with the most logins that it saw in one second.
 *
 *     --mailboxes 1000 --rest 30 --json FILE
 */
import { writeFile } from 'node:fs/promises'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Releasers } from '../src/lifecycle.ts'
import { startBenchServers } from './receive/bench-servers.ts'
import type { MeasuredProcess } from './receive/measured-process.ts'
import { deployBench, imapOf, startWorker, stopWorker } from './receive/posthorn-run.ts'

const { values } = parseArgs({
  options: {
    mailboxes: { type: 'string', default: '1000' },
    rest: { type: 'string', default: '30' },
    json: { type: 'string' },
  },
})
const count = Number(values.mailboxes)

/** What a server for thousands of mailboxes is given; the defaults end at a thousand clients. */
const manyClients = [
  'default_client_limit = 20000',
  'default_process_limit = 5000',
  'service anvil {\n  client_limit = 20000\n}',
  'service auth {\n  client_limit = 20000\n}',
  'imap_idle_notify_interval = 29 mins',
]

/** Resolves when each account has been synced, counted from now. @returns the milliseconds */
const allSynced = async (worker: MeasuredProcess, from: number): Promise<number> => {
  const start = performance.now()
  let at = from
  const synced = new Set<string>()
  while (synced.size < count) {
    await worker.seen((line, index) => {
      if (index < at) return false
      at = index + 1
      const account = line.includes('"FolderSynced"') ? /"account":"([^"]+)"/.exec(line)?.[1] : undefined
      if (account === undefined) return false
      synced.add(account)
      return true
    })
  }
  return performance.now() - start
}

const seconds = (milliseconds: number): number => Number((milliseconds / 1000).toFixed(1))

/** The most logins in one second of the server's log. */
const busiestSecond = (log: string): number => {
  const logins = new Map<string, number>()
  for (const [, second = ''] of log.matchAll(/^(.{15}).*imap-login: Info: Login/gm)) {
    logins.set(second, (logins.get(second) ?? 0) + 1)
  }
  return Math.max(0, ...logins.values())
}

const releasers = new Releasers()
try {
  const servers = await startBenchServers(releasers, { s3: 'stub', dovecot: { settings: manyClients } })
  const { dovecot } = servers
  const accounts = Object.fromEntries(
    Array.from({ length: count }, (_, index) => {
      const imap = imapOf(servers, dovecot.newUser(`m${index}`))
      return [`m${index}`, { imap, receive: [{ folder: 'INBOX', idle: true }] }]
    }),
  )
  const deployment = await deployBench(servers, accounts)
  const worker = startWorker(deployment, { debug: true })
  const firstSync = await allSynced(worker, 0)
  const before = worker.cost().cpuSeconds
  await delay(Number(values.rest) * 1000)
  const cpuAtRest = (worker.cost().cpuSeconds - before) / Number(values.rest)
  const rssMb = worker.rssMb()
  const loginsBefore = (await dovecot.log()).length
  await dovecot.stop()
  const from = worker.lines.length
  await dovecot.start()
  const resync = await allSynced(worker, from)
  const rows = [
    {
      mailboxes: count,
      rssMb: Math.round(rssMb),
      kbEach: Math.round((rssMb * 1024) / count),
      cpuPercentAtRest: Number((cpuAtRest * 100).toFixed(1)),
      firstSyncSeconds: seconds(firstSync),
      resyncSeconds: seconds(resync),
      mostLoginsInASecond: busiestSecond((await dovecot.log()).slice(loginsBefore)),
    },
  ]
  await stopWorker(worker)
  console.table(rows)
  if (values.json !== undefined)
    await writeFile(values.json, `${JSON.stringify({ node: process.version, rows }, null, 2)}\n`)
} finally {
  await releasers.releaseAll()
}
