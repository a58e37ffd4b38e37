/**
 * How fast mail is received: `npm run bench:receive`, beside a reader that discards and mbsync on the same folder in the
 * same run, so that a noisy machine slows all of them. Linux; needs Dovecot and mbsync (installed where that can be done).
 *
 *     --messages 5000 --rounds 3 --seed 1 --after none|seen --s3 stub|s3proxy --profile FOLDER --json FILE
 *
 * Posthorn is timed from the start of its process until every message can be read from Kafka at read_committed; then
 * each record is checked, and each attachment is read back from the object store.
 */
import { writeFile } from 'node:fs/promises'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { Releasers } from '../src/lifecycle.ts'
import { startBenchServers, type BenchServers } from './receive/bench-servers.ts'
import { checkInbound } from './receive/check-inbound.ts'
import { mbsyncName, runFetchReader, runMbsync, type Login, type Timed } from './receive/contestants.ts'
import { deployBench, imapOf, openInbound, startWorker, stopWorker } from './receive/posthorn-run.ts'
import { mixedMail, type BenchMail } from './receive/workload.ts'

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '5000' },
    rounds: { type: 'string', default: '3' },
    seed: { type: 'string', default: '1' },
    after: { type: 'string', default: 'none' },
    s3: { type: 'string', default: 'stub' },
    profile: { type: 'string' },
    json: { type: 'string' },
  },
})
const count = Number(values.messages)

type Expected = Map<string, Pick<BenchMail, 'sha256'>>

const runPosthorn = async (servers: BenchServers, login: Login, expected: Expected): Promise<Timed> => {
  const receive = [{ folder: 'INBOX', start: 'earliest', after: values.after }]
  const deployment = await deployBench(servers, { inbox: { imap: imapOf(servers, login), receive } })
  const inbound = await openInbound(deployment)
  const start = performance.now()
  const worker = startWorker(deployment, { profileFolder: values.profile })
  const opened = worker.seen((line) => line.includes('"FolderOpened"')).then(() => performance.now())
  const taken = await inbound.take(count)
  const end = performance.now()
  const cost = worker.cost()
  const openedAt = await opened
  await stopWorker(worker)
  await inbound.close()
  await checkInbound(
    deployment.config,
    taken.map(({ record }) => record),
    expected,
  )
  const secondsInRun = (end - openedAt) / 1000
  return { name: 'posthorn run', messages: count, seconds: (end - start) / 1000, secondsInRun, ...cost }
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0

const releasers = new Releasers()
try {
  const servers = await startBenchServers(releasers, { s3: values.s3 === 's3proxy' ? 's3proxy' : 'stub' })
  const login = servers.dovecot.newUser('bench')
  const expected: Expected = new Map()
  let bytes = 0
  const mails = function* (): Generator<Buffer> {
    for (const { raw, messageId, sha256 } of mixedMail(count, Number(values.seed))) {
      expected.set(messageId, { sha256 })
      bytes += raw.length
      yield raw
    }
  }
  await servers.dovecot.deliver(login, mails())
  // The first look makes the server's index; nobody is to pay for it alone.
  await runFetchReader(servers, login)
  const results = new Map<string, Timed[]>()
  for (let round = 0; round < Number(values.rounds); round += 1) {
    for (const run of [runFetchReader, runMbsync, runPosthorn]) {
      const timed = await run(servers, login, expected)
      if (timed.messages !== count) throw new Error(`${timed.name} has read ${timed.messages} of ${count} messages`)
      results.set(timed.name, [...(results.get(timed.name) ?? []), timed])
    }
  }
  const secondsOfMbsync = (round: number): number => results.get(mbsyncName)?.[round]?.secondsInRun ?? 0
  const rows = [...results].map(([system, runs]) => {
    const of = (get: (run: Timed) => number): number => median(runs.map(get))
    return {
      system,
      perSecond: Math.round(count / of(({ seconds }) => seconds)),
      perSecondInRun: Math.round(count / of(({ secondsInRun }) => secondsInRun)),
      peakRssMb: Math.round(of(({ peakRssMb }) => peakRssMb)),
      // Of each round, since the machine may be busier in one than in another.
      ofMbsync: Number(median(runs.map((run, round) => secondsOfMbsync(round) / run.secondsInRun)).toFixed(2)),
      cpuSecondsPer1000: Number(((of(({ cpuSeconds }) => cpuSeconds) * 1000) / count).toFixed(2)),
      runs: runs.map(({ seconds, secondsInRun }) => `${seconds.toFixed(1)}/${secondsInRun.toFixed(1)}`).join(' '),
    }
  })
  console.log(`${count} messages, ${Math.round(bytes / 1e6)} MB, after: ${values.after}, object store: ${values.s3}`)
  console.table(rows)
  const report = { count, bytes, after: values.after, s3: values.s3, node: process.version, rows }
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`)
} finally {
  await releasers.releaseAll()
}
