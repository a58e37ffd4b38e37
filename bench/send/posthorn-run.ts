/** Posthorn as its users run it: one process `posthorn run` that finds the requests in a topic. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Admin, Kafka } from 'kafkajs'
import { stringify } from 'yaml'
import { createCodec } from '../../src/avro/codec.ts'
import { loadSchemas } from '../../src/avro/schema-store.ts'
import { loadConfig } from '../../src/config/load-config.ts'
import { createRecordProducer } from '../../src/kafka/record-producer.ts'
import { TopicReader } from '../../src/kafka/topic-reader.ts'
import { planTopics } from '../../src/kafka/topic-plan.ts'
import { ensureTopics } from '../../src/kafka/topics.ts'
import { startMeasured } from '../receive/measured-process.ts'
import { toRun, type Load, type Run } from './contenders.ts'
import { account, recipientOf, requestOf, sender } from './workload.ts'

export interface PosthornOptions extends Load {
  kafka: Kafka
  brokers: readonly string[]
  folder: string
  /** A name that no other run has. */
  name: string
  /** Section `send` of the configuration. */
  send: object
  /** Whether requests have one: their recipient. */
  withKeys: boolean
  /** Of Node, such as --cpu-prof. */
  nodeArguments: readonly string[]
}

const posthorn = new URL('../../bin/posthorn.js', import.meta.url).pathname
const codec = createCodec({ schemas: loadSchemas(), encoding: 'single-object', registry: null })
const partitions = 4
const published = 500
const pollMs = 100

const writeConfig = async ({ brokers, name, port, send, connections, folder }: PosthornOptions): Promise<string> => {
  const topicNames = ['sendRequests', 'sendRetries', 'sendResults', 'commands', 'deadLetters', 'checkpoints']
  const topics = Object.fromEntries(topicNames.map((topic) => [topic, `${name}.${topic}`]))
  const smtp = { host: '127.0.0.1', port, security: 'none', from: sender, connections }
  const path = join(folder, `${name}.yaml`)
  const kafka = { brokers, group: name, topics: { ...topics, partitions, replication: 1 } }
  await writeFile(path, stringify({ kafka, send, accounts: { [account]: { smtp } } }))
  return path
}

const publish = async ({ kafka, count, withKeys }: PosthornOptions, topic: string): Promise<void> => {
  const producer = createRecordProducer(kafka)
  for (let from = 0; from < count; from += published) {
    const indexes = Array.from({ length: Math.min(published, count - from) }, (_, at) => from + at)
    await producer.send(
      await Promise.all(
        indexes.map(async (index) => ({
          topic,
          key: withKeys ? recipientOf(index) : null,
          value: await codec.encode('SendRequest', requestOf(index), topic),
        })),
      ),
    )
  }
  await producer.close()
}

/** Looks at offsets only while Posthorn works: reading along would take the processor from it. */
const awaitOffsets = async (admin: Admin, topic: string, count: number): Promise<void> => {
  for (;;) {
    const offsets = await admin.fetchTopicOffsets(topic)
    if (offsets.reduce((sum, { high }) => sum + Number(high), 0) >= count) return
    await delay(pollMs)
  }
}

interface Results {
  ids: Set<string>
  /** Milliseconds since the epoch. */
  first: number
  last: number
}

/** What a committed reader gets. @param enough null: to the end */
const readResults = async (kafka: Kafka, topic: string, enough: number | null): Promise<Results> => {
  const results: Results = { ids: new Set(), first: Number.POSITIVE_INFINITY, last: 0 }
  const options = { kafka, topic, groupPrefix: 'bench', from: 'beginning', untilEnd: enough === null } as const
  for await (const { value, timestamp } of await TopicReader.open(options)) {
    const { id, status } = await codec.decode('SendResult', value)
    if (status !== 'DELIVERED') throw new Error(`${id} is ${status}`)
    if (results.ids.has(id)) throw new Error(`${id} has two results`)
    results.ids.add(id)
    results.first = Math.min(results.first, timestamp)
    results.last = Math.max(results.last, timestamp)
    if (results.ids.size === enough) break
  }
  return results
}

/**
 * From the first result to the last.
 *
 * @throws Error unless there is exactly one result for each request, each DELIVERED, at read_committed
 */
export const runPosthorn = async (options: PosthornOptions): Promise<Run> => {
  const { kafka, count, nodeArguments, folder } = options
  const configFile = await writeConfig(options)
  const config = loadConfig(configFile, {})
  const { sendRequests, sendResults } = config.kafka.topics
  const admin = kafka.admin()
  await admin.connect()
  await ensureTopics(admin, planTopics(config))
  await publish(options, sendRequests)

  const command = [...nodeArguments, posthorn, 'run', '--config', configFile, '--roles', 'send']
  const worker = startMeasured(process.execPath, command, folder)
  let run: Run
  try {
    await Promise.race([awaitOffsets(admin, sendResults, count), worker.finished])
    const { first, last } = await readResults(kafka, sendResults, count)
    run = toRun(worker, count, (last - first) / 1_000)
  } finally {
    worker.signal('SIGTERM')
    await worker.finished
    await admin.disconnect()
  }
  const { ids } = await readResults(kafka, sendResults, null)
  if (ids.size !== count) throw new Error(`${ids.size} results of ${count} requests`)
  return run
}
