/**
 * Workers that send, or the broker, are killed at random moments, again and again, while a sink takes their mail; then
 * everything that was published must have come to its end (liveness) as the oracle wants it (`judge-sends.ts`).
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { stringify } from 'yaml'
import type { SendResult } from '../../src/avro/records.ts'
import type { Config } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load-config.ts'
import { createKafka } from '../../src/kafka/connect.ts'
import { createRecordProducer } from '../../src/kafka/record-producer.ts'
import { TopicReader } from '../../src/kafka/topic-reader.ts'
import { planTopics } from '../../src/kafka/topic-plan.ts'
import { ensureTopics } from '../../src/kafka/topics.ts'
import { codec } from '../support/kafka.ts'
import { isFinal, judge, sourceOfResult, type Verdict } from './judge-sends.ts'
import { startMailSink, type Delivery, type MailSink } from './mail-sink.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { makeWorkload } from './send-requests.ts'
import { WorkerProcess } from './worker-process.ts'

export interface CampaignOptions {
  brokers: readonly string[]
  /** Of its own. */
  folder: string
  /** A name that no other campaign has. */
  name: string
  requests: number
  kills: number
  seed: number
  workers: number
  /** Kills the broker and starts it again. Where it is given, kills are the broker's and no worker dies. */
  restartBroker?: () => Promise<void>
  onKill?: (kills: number) => void
}

const concurrency = 16
const partitions = 4
const publishedAtOnce = 500
/** After the last kill. */
const patienceMs = 120_000

/** Counts deliveries, so that a kill can wait for the next of them. */
class Deliveries {
  readonly all: Delivery[] = []
  #awaited: { count: number; reached: () => void } | null = null

  add(delivery: Delivery): void {
    this.all.push(delivery)
    if (this.#awaited !== null && this.all.length >= this.#awaited.count) this.#awaited.reached()
  }

  reach(count: number): Promise<void> {
    if (this.all.length >= count) return Promise.resolve()
    return new Promise((reached) => {
      this.#awaited = { count, reached }
    })
  }
}

const writeConfig = async ({ brokers, folder, name }: CampaignOptions, worker: number, sink: MailSink) => {
  const roles = ['sendRequests', 'sendRetries', 'sendResults', 'deadLetters', 'commands', 'checkpoints'] as const
  const topics = Object.fromEntries(roles.map((role) => [role, `${name}.${role}`]))
  const smtp = { host: '127.0.0.1', port: sink.port, security: 'none', from: 'main@example.com', connections: 4 }
  const path = join(folder, `worker-${worker}.yaml`)
  const kafka = { brokers, group: name, sessionTimeout: '6s', topics: { ...topics, partitions, replication: 1 } }
  const send = { concurrency, retry: { tiers: ['1s', '5s'], maxAge: '1h' } }
  await writeFile(path, stringify({ kafka, send, accounts: { main: { smtp } } }))
  return path
}

/** @throws Error when not every request comes to its end, or a worker does not stop as it should */
export const runSendCampaign = async (options: CampaignOptions): Promise<Verdict> => {
  const { name, requests, kills, seed, workers: workerCount } = options
  const random = seededRandom(seed)
  const pace = seededRandom(seed)
  const deliveries = new Deliveries()
  const lives = Array.from({ length: workerCount }, () => 0)
  const killed = new Set<string>()
  const workers: WorkerProcess[] = []
  const sinks: MailSink[] = []
  try {
    const files: string[] = []
    for (const worker of lives.keys()) {
      const sink = await startMailSink({
        onMail: (id) => deliveries.add({ id, worker, life: lives[worker] ?? 0 }),
        answerAfterMs: () => pace() * 10,
      })
      sinks.push(sink)
      files.push(await writeConfig(options, worker, sink))
    }
    const config = loadConfig(files[0] ?? '', {})
    const { published, total } = await publish(config, requests, random)
    for (const file of files) workers.push(new WorkerProcess(file))

    // Most of the mail goes between the kills, the rest after the last.
    const between = (0.9 * requests) / Math.max(1, kills)
    const moment = (kill: number): number => Math.ceil(between * (kill - random()))
    for (let kill = 1; kill <= kills; kill += 1) {
      await before(deliveries.reach(moment(kill)), `kill ${kill} of ${name}`, workers)
      await delay(random() * 50)
      if (options.restartBroker === undefined) {
        const worker = Math.floor(random() * workerCount)
        const life = lives[worker] ?? 0
        killed.add(`${worker}/${life}`)
        await workers[worker]?.replace()
        lives[worker] = life + 1
      } else {
        await options.restartBroker()
      }
      options.onKill?.(kill)
    }
    await before(readResults(config, total), `the end of ${name}`, workers)
    for (const worker of workers) {
      const code = await worker.stop()
      if (code !== 0) throw new Error(`a worker ended with ${code}: ${worker.lastWords}`)
    }
    const results = await readResults(config, null)
    return judge({ published, results, deliveries: deliveries.all, killed, concurrency })
  } finally {
    await Promise.all(workers.map((worker) => worker.kill()))
    for (const sink of sinks) sink.close()
  }
}

const connectTo = (config: Config) =>
  createKafka(config.kafka, { clientId: 'campaign', patience: 'worker', log: () => undefined })

const publish = async (config: Config, requests: number, random: () => number) => {
  const kafka = connectTo(config)
  const admin = kafka.admin()
  await admin.connect()
  await ensureTopics(admin, planTopics(config))
  await admin.disconnect()
  const workload = await makeWorkload(requests, config.kafka.topics.sendRequests, partitions, random)
  const producer = createRecordProducer(kafka)
  for (let from = 0; from < workload.records.length; from += publishedAtOnce) {
    await producer.send(workload.records.slice(from, from + publishedAtOnce))
  }
  await producer.close()
  return { published: workload.published, total: workload.records.length }
}

/** @param sources until so many records have a final result; null: all that there is */
const readResults = async (config: Config, sources: number | null): Promise<SendResult[]> => {
  const results: SendResult[] = []
  const answered = new Set<string>()
  const reader = await TopicReader.open({
    kafka: connectTo(config),
    topic: config.kafka.topics.sendResults,
    groupPrefix: 'campaign',
    from: 'beginning',
    untilEnd: sources === null,
  })
  for await (const { value } of reader) {
    const result = await codec.decode('SendResult', value)
    results.push(result)
    if (isFinal(result)) answered.add(sourceOfResult(result))
    if (answered.size === sources) break
  }
  return results
}

const before = async (event: Promise<unknown>, what: string, workers: readonly WorkerProcess[]): Promise<void> => {
  const stop = new AbortController()
  const late = delay(patienceMs, 'late', { signal: stop.signal }).catch(() => 'stopped')
  const first = await Promise.race([event, late])
  stop.abort()
  if (first !== 'late') return
  throw new Error(
    `${what} did not come within ${patienceMs / 1_000} s: ${workers.map((one) => one.lastWords).join('\n')}`,
  )
}
