/**
 * Sending, Kafka to SMTP: `npm run bench:send -- --help`.
 *
 * Posthorn with all guarantees on, nodemailer's pool and Postfix's smtp-source (both without Kafka) take turns at the
 * same sink, so that each run is judged by the ratios within it and not by what the machine had to do at that time.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { readCacheSettings } from '../src/embedded/cache-settings.ts'
import { fetchJars } from '../src/embedded/fetch-jars.ts'
import { findJava } from '../src/embedded/java.ts'
import { startKafka } from '../src/embedded/kafka-server.ts'
import { Supervisor } from '../src/embedded/supervisor.ts'
import { createKafka } from '../src/kafka/connect.ts'
import { withReleasers, type Releasers } from '../src/lifecycle.ts'
import { runNodemailer, runSmtpSource, type Run } from './send/contenders.ts'
import { startDelayProxy } from './send/delay-proxy.ts'
import { postfixTool, startSink } from './send/postfix-tools.ts'
import { runPosthorn } from './send/posthorn-run.ts'
import { printReport } from './send/report.ts'

const usage = `npm run bench:send -- [options]
  --count N         requests in each run (20000; with --rtt 4000)
  --runs N          rounds in which the contenders take turns (3)
  --rtt MS          over a line with this round trip instead of loopback alone
  --connections N   of each contender (8)
  --only LIST       of posthorn, nodemailer, smtp-source
  --without-keys    requests without a key: they go through another partition
  --send JSON       section \`send\` of Posthorn's configuration ({})
  --json FILE       the figures of each run
  --cpu-prof DIR    profiles of Posthorn, for node bench/read-profile.ts
  --node FLAGS      of Node, for Posthorn's process, separated by spaces`

const { values } = parseArgs({
  options: {
    count: { type: 'string' },
    runs: { type: 'string', default: '3' },
    rtt: { type: 'string' },
    connections: { type: 'string', default: '8' },
    only: { type: 'string', default: 'posthorn,nodemailer,smtp-source' },
    send: { type: 'string', default: '{}' },
    'without-keys': { type: 'boolean', default: false },
    json: { type: 'string' },
    'cpu-prof': { type: 'string' },
    node: { type: 'string', default: '' },
    help: { type: 'boolean', default: false },
  },
})

const startServers = async (releasers: Releasers) => {
  postfixTool('smtp-source')
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-bench-'))
  releasers.add(() => rm(folder, { recursive: true, force: true }))
  const supervisor = new Supervisor()
  releasers.add(() => supervisor.close())
  const { signal } = new AbortController()
  const settings = readCacheSettings(process.env, homedir())
  const java = await findJava({ ...settings, onProgress: console.error })
  const jars = await fetchJars(['kafka'], { ...settings, signal, onProgress: () => undefined })
  const dataDir = join(folder, 'kafka')
  const { brokers } = await startKafka({ supervisor, java: java.path, jars: jars.kafka, dataDir, signal })
  const kafka = createKafka(
    { brokers, tls: null, sasl: null },
    { clientId: 'bench', patience: 'worker', log: () => undefined },
  )
  return { folder, brokers, kafka, sinkPort: await startSink(supervisor, folder) }
}

const bench = (): Promise<void> =>
  withReleasers(async (releasers) => {
    const { folder, brokers, kafka, sinkPort } = await startServers(releasers)
    const roundTripMs = Number(values.rtt ?? 0)
    const count = Number(values.count ?? (roundTripMs > 0 ? 4_000 : 20_000))
    const connections = Number(values.connections)
    let smtpPort = sinkPort
    if (roundTripMs > 0) {
      const proxy = await startDelayProxy(sinkPort, roundTripMs)
      releasers.add(() => proxy.close())
      smtpPort = proxy.port
    }
    const profiles = values['cpu-prof']
    if (profiles !== undefined) await mkdir(profiles, { recursive: true })
    const nodeArguments = values.node.split(' ').filter((flag) => flag !== '')
    if (profiles !== undefined) nodeArguments.push('--cpu-prof', '--cpu-prof-dir', resolve(profiles))
    const send = JSON.parse(values.send) as object
    const cluster = { kafka, brokers, folder }
    const load = { port: smtpPort, count, connections }
    const contenders: Record<string, (round: number) => Promise<Run>> = {
      posthorn: (round) =>
        runPosthorn({
          ...load,
          ...cluster,
          name: `bench${round}`,
          send,
          nodeArguments,
          withKeys: !values['without-keys'],
        }),
      nodemailer: () => runNodemailer(load),
      'smtp-source': () => runSmtpSource(load),
    }
    const names = values.only.split(',')
    const runs: Record<string, Run[]> = Object.fromEntries(names.map((name) => [name, []]))
    for (let round = 0; round < Number(values.runs); round += 1) {
      // Each is first as often as the others.
      for (const at of names.keys()) {
        const name = names[(at + round) % names.length] ?? ''
        const contender = contenders[name]
        if (contender === undefined) throw new Error(`--only: there is no ${name}`)
        const run = await contender(round)
        runs[name]?.push(run)
        console.error(`${name}: ${Math.round(run.perSecond)}/s`)
      }
    }
    console.log(printReport(runs))
    const report = { count, connections, roundTripMs, send, node: process.version, runs }
    if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`)
    await releasers.releaseAll()
  })

if (values.help) console.log(usage)
else await bench()
