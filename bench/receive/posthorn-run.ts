/** One `posthorn run` of a benchmark: configured by a file, measured from outside, read at read_committed. */
import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import type { Kafka } from 'kafkajs'
import { stringify } from 'yaml'
import type { Config } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load-config.ts'
import { createKafka } from '../../src/kafka/connect.ts'
import type { ConsumedRecord } from '../../src/kafka/records.ts'
import { planTopics } from '../../src/kafka/topic-plan.ts'
import { TopicReader } from '../../src/kafka/topic-reader.ts'
import { ensureTopics } from '../../src/kafka/topics.ts'
import { topicNames } from '../../test/support/worker.ts'
import type { BenchServers } from './bench-servers.ts'
import { startMeasured, type MeasuredProcess } from './measured-process.ts'

const program = new URL('../../bin/posthorn.js', import.meta.url).pathname

export interface Deployment {
  config: Config
  configFile: string
  kafka: Kafka
}

export const imapOf = ({ dovecot }: BenchServers, { user, password }: { user: string; password: string }) => ({
  host: dovecot.host,
  port: dovecot.imapPort,
  security: 'none',
  allowPlaintextAuth: true,
  auth: { user, password },
})

/** Topics and objects of their own for each run; the topics are made here, for a reader that waits. */
export const deployBench = async ({ brokers, s3, folder }: BenchServers, accounts: object): Promise<Deployment> => {
  const name = `b${randomUUID().slice(0, 8)}`
  const topics = Object.fromEntries(topicNames.map((topic) => [topic, `${name}.${topic}`]))
  const text = stringify({
    kafka: { brokers, group: name, topics: { ...topics, partitions: 4, replication: 1 } },
    storage: { ...s3, region: 'us-east-1', prefix: name, pathStyle: true },
    accounts,
  })
  const configFile = join(folder, `${name}.yaml`)
  await writeFile(configFile, text)
  const config = loadConfig(configFile, {})
  const kafka = createKafka(config.kafka, { clientId: 'bench', patience: 'worker', log: () => undefined })
  const admin = kafka.admin()
  await admin.connect()
  await ensureTopics(admin, planTopics(config))
  await admin.disconnect()
  return { config, configFile, kafka }
}

export interface WorkerOptions {
  /** Where the worker's V8 profile goes. */
  profileFolder?: string | undefined
  /** Every event is logged. */
  debug?: boolean
}

export const startWorker = (
  { configFile }: Deployment,
  { profileFolder, debug = false }: WorkerOptions = {},
): MeasuredProcess => {
  const profile =
    profileFolder === undefined ? [] : ['--cpu-prof', '--cpu-prof-interval=500', '--cpu-prof-dir', profileFolder]
  return startMeasured(process.execPath, [
    ...profile,
    program,
    'run',
    '--config',
    configFile,
    '--roles',
    'receive',
    ...(debug ? ['--debug'] : []),
  ])
}

export const stopWorker = async (worker: MeasuredProcess): Promise<void> => {
  worker.signal('SIGTERM')
  await worker.finished
}

/** An open reader of the inbound topic; `take` resolves with so many more records. */
export const openInbound = async ({ kafka, config }: Deployment) => {
  const { inbound } = config.kafka.topics
  const reader = await TopicReader.open({
    kafka,
    topic: inbound,
    groupPrefix: 'bench',
    from: 'beginning',
    untilEnd: false,
  })
  const iterator = reader[Symbol.asyncIterator]()
  return {
    take: async (count: number): Promise<{ record: ConsumedRecord; at: number }[]> => {
      const taken: { record: ConsumedRecord; at: number }[] = []
      while (taken.length < count) {
        const next = await iterator.next()
        if (next.done === true) throw new Error('the reader has ended')
        taken.push({ record: next.value, at: performance.now() })
      }
      return taken
    },
    close: () => reader.close(),
  }
}
