/**
 * From delivery to a committed record under IDLE: `npm run bench:latency`, beside a client that does nothing but IDLE on
 * the same folder. A message is delivered by LMTP; the time runs from the server's 250 to the notice that the bare client
 * gets, and to the record that a reader at read_committed gets.
 *
 *     --messages 40 --json FILE
 */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Releasers } from '../src/lifecycle.ts'
import { startBenchServers } from './receive/bench-servers.ts'
import { decodeInbound } from './receive/check-inbound.ts'
import { BareIdle, Lmtp } from './receive/line-client.ts'
import { deployBench, imapOf, openInbound, startWorker, stopWorker } from './receive/posthorn-run.ts'
import { seededRandom } from '../test/support/seeded-random.ts'

const { values } = parseArgs({ options: { messages: { type: 'string', default: '40' }, json: { type: 'string' } } })

const percentile = (numbers: readonly number[], share: number): number => {
  const sorted = numbers.toSorted((a, b) => a - b)
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0)
}

const releasers = new Releasers()
try {
  const servers = await startBenchServers(releasers, { s3: 'stub' })
  const { dovecot } = servers
  const login = dovecot.newUser('idle')
  // Polling must not help.
  const receive = [{ folder: 'INBOX', start: 'latest', after: 'none', idle: true, poll: '1h' }]
  const deployment = await deployBench(servers, { inbox: { imap: imapOf(servers, login), receive } })
  const inbound = await openInbound(deployment)
  const worker = startWorker(deployment)
  await worker.seen((line) => line.includes('"FolderOpened"'))
  const bare = await BareIdle.open(dovecot.imapPort, login)
  const lmtp = await Lmtp.open(dovecot.lmtpPort)
  releasers.add(() => bare.close())
  releasers.add(() => lmtp.close())
  const random = seededRandom(1)
  const times: { bare: number; posthorn: number }[] = []
  for (let index = 0; index < Number(values.messages); index += 1) {
    const { told } = await bare.wait()
    // Messages come at any moment, also right after the one before.
    await delay(random() * 700)
    const messageId = `<${index}@bench.example>`
    const deliveredAt = await lmtp.deliver(
      login.user,
      `From: a@sender.example\r\nMessage-ID: ${messageId}\r\nSubject: ${index}\r\n\r\nText`,
    )
    const [toldAt, [taken]] = await Promise.all([told, inbound.take(1)])
    assert.ok(taken)
    assert.equal((await decodeInbound(taken.record)).messageId, messageId)
    times.push({ bare: toldAt - deliveredAt, posthorn: taken.at - deliveredAt })
    await bare.done()
  }
  await stopWorker(worker)
  await inbound.close()
  const rows = [
    ['bare IDLE client', times.map((time) => time.bare)] as const,
    ['posthorn, committed record', times.map((time) => time.posthorn)] as const,
    ['difference, message by message', times.map((time) => time.posthorn - time.bare)] as const,
  ].map(([what, list]) => ({ what, p50: percentile(list, 0.5), p95: percentile(list, 0.95), max: percentile(list, 1) }))
  console.log(`${times.length} messages, milliseconds`)
  console.table(rows)
  if (values.json !== undefined)
    await writeFile(values.json, `${JSON.stringify({ node: process.version, rows }, null, 2)}\n`)
} finally {
  await releasers.releaseAll()
}
