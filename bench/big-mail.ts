/**
 * Big mail in small memory: `npm run bench:big-mail`. One message with a 100 MB attachment, 100 of 25 MB, and 25 MB in
 * each of four mailboxes at once; raw mail kept too. Every object's hash is checked, and that no upload is left open.
 *
 *     --scenario one|many|several (default: each in turn) --many 100 --json FILE
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { Releasers } from '../src/lifecycle.ts'
import { startBenchServers, type BenchServers } from './receive/bench-servers.ts'
import { decodeInbound } from './receive/check-inbound.ts'
import { deployBench, imapOf, openInbound, startWorker, stopWorker } from './receive/posthorn-run.ts'
import { seededRandom } from '../test/support/seeded-random.ts'
import { attachmentMail } from './receive/workload.ts'

const { values } = parseArgs({
  options: { scenario: { type: 'string' }, many: { type: 'string', default: '100' }, json: { type: 'string' } },
})
const megabyte = 1_000_000

interface Scenario {
  mailboxes: number
  messages: number
  attachmentBytes: number
}

const scenarios: Record<string, Scenario> = {
  one: { mailboxes: 1, messages: 1, attachmentBytes: 100 * megabyte },
  many: { mailboxes: 1, messages: Number(values.many), attachmentBytes: 25 * megabyte },
  several: { mailboxes: 4, messages: 3, attachmentBytes: 25 * megabyte },
}

const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex')

const digestsOf = async ({ s3 }: BenchServers): Promise<{ unfinished: number; digests: Record<string, string> }> =>
  (await fetch(`${s3.endpoint}/`)).json() as Promise<{ unfinished: number; digests: Record<string, string> }>

const run = async (name: string, { mailboxes, messages, attachmentBytes }: Scenario, servers: BenchServers) => {
  const accounts: Record<string, object> = {}
  const expected = new Map<string, { attachment: string | null; raw: string }>()
  const random = seededRandom(1)
  let bytes = 0
  for (let box = 0; box < mailboxes; box += 1) {
    const login = servers.dovecot.newUser(`big-${box}`)
    const receive = [{ folder: 'INBOX', start: 'earliest', after: 'none', keepRaw: true }]
    accounts[`box-${box}`] = { imap: imapOf(servers, login), receive }
    for (let index = 0; index < messages; index += 1) {
      const { raw, messageId, sha256: attachment } = attachmentMail(box * 1_000 + index, random, attachmentBytes)
      await servers.dovecot.deliver(login, [raw])
      expected.set(messageId, { attachment, raw: sha256(raw) })
      bytes += raw.length
    }
  }
  const deployment = await deployBench(servers, accounts)
  const inbound = await openInbound(deployment)
  const start = performance.now()
  const worker = startWorker(deployment)
  const taken = await inbound.take(expected.size)
  const seconds = (performance.now() - start) / 1000
  const { peakRssMb, cpuSeconds } = worker.cost()
  await stopWorker(worker)
  await inbound.close()
  const { unfinished, digests } = await digestsOf(servers)
  assert.equal(unfinished, 0)
  for (const { record } of taken) {
    const { messageId, attachments, raw } = await decodeInbound(record)
    const mail = expected.get(messageId ?? '')
    assert.ok(mail)
    expected.delete(messageId ?? '')
    assert.deepEqual(
      attachments.map(({ object }) => digests[`/${object.bucket}/${object.key}`]),
      [mail.attachment],
    )
    assert.equal(raw === null ? null : digests[`/${raw.bucket}/${raw.key}`], mail.raw)
  }
  assert.equal(expected.size, 0)
  return {
    scenario: name,
    mailMb: Math.round(bytes / megabyte),
    seconds: Number(seconds.toFixed(1)),
    mbPerSecond: Math.round(bytes / megabyte / seconds),
    peakRssMb: Math.round(peakRssMb),
    cpuSeconds: Number(cpuSeconds.toFixed(1)),
  }
}

const releasers = new Releasers()
try {
  const servers = await startBenchServers(releasers, { s3: 'digests' })
  const rows = []
  for (const [name, scenario] of Object.entries(scenarios)) {
    if (values.scenario === undefined || values.scenario === name) rows.push(await run(name, scenario, servers))
  }
  console.table(rows)
  if (values.json !== undefined)
    await writeFile(values.json, `${JSON.stringify({ node: process.version, rows }, null, 2)}\n`)
} finally {
  await releasers.releaseAll()
}
