/** A worker that sends, an exact SMTP server behind it, and Kafka clients beside it. */
import type { TestContext } from 'node:test'
import type { SendRequestInput, SendResult } from '../../src/avro/records.ts'
import type { Config } from '../../src/config/config.ts'
import { createKafka } from '../../src/kafka/connect.ts'
import type { OutgoingRecord } from '../../src/kafka/records.ts'
import { planTopics } from '../../src/kafka/topic-plan.ts'
import { ensureTopics } from '../../src/kafka/topics.ts'
import { Cluster, codec } from './kafka.ts'
import { startScriptServer, usualExtensions, type Script, type ScriptServer } from './smtp-script-server.ts'
import { testServers } from './servers.ts'
import { deploy, Worker, type Deployment } from './worker.ts'

export interface SendingOptions {
  script?: Script
  extensions?: string[]
  /** Of account `main`, beside those of its SMTP server. */
  smtp?: object
  imap?: object
  /** Of `main`, beside smtp and imap. */
  account?: object
  /** Further accounts. */
  accounts?: object
  settings?: object
  /** What the worker is given instead of the broker's own address. */
  brokers?: readonly string[]
  files?: Readonly<Record<string, string>>
}

/** Short enough to be waited for. */
export const quickRetry = { retry: { tiers: ['1s', '2s'], maxAge: '1h' } }

export class Sending {
  readonly server: ScriptServer
  readonly cluster: Cluster
  readonly config: Config
  readonly #deployment: Deployment
  readonly #t: TestContext

  /** @param brokers for the test's own clients */
  constructor(t: TestContext, server: ScriptServer, deployment: Deployment, brokers: readonly string[]) {
    this.#t = t
    this.server = server
    this.config = deployment.config
    this.#deployment = deployment
    this.cluster = new Cluster(t, { ...this.config, kafka: { ...this.config.kafka, brokers } })
  }

  async startWorker(): Promise<Worker> {
    const worker = new Worker(this.#t, this.#deployment.configFile, ['--roles', 'send'])
    await worker.seen(({ event }) => event === 'Started')
    return worker
  }

  /** @param key undefined: the id */
  async record(
    request: Partial<SendRequestInput> & { id: string },
    place: { key?: string | null; partition?: number } = {},
  ): Promise<OutgoingRecord> {
    const topic = this.config.kafka.topics.sendRequests
    const value = await codec.encode(
      'SendRequest',
      { account: 'main', to: ['ann@example.com'], text: 'hello', ...request },
      topic,
    )
    const { key = request.id, partition } = place
    return { topic, key, value, ...(partition === undefined ? {} : { partition }) }
  }

  async send(...requests: (Partial<SendRequestInput> & { id: string })[]): Promise<void> {
    await this.cluster.send(await Promise.all(requests.map((request) => this.record(request))))
  }

  /** The first `count` results, in the order of their partitions. */
  results(count: number): Promise<SendResult[]> {
    return this.cluster.takeDecoded('SendResult', this.config.kafka.topics.sendResults, count)
  }

  /** All results up to the one that makes so many DELIVERED. */
  async delivered(count: number): Promise<SendResult[]> {
    for (let read = count; ; read += 1) {
      const results = await this.results(read)
      const open = count - results.filter(({ status }) => status === 'DELIVERED').length
      if (open === 0) return results
      read += open - 1
    }
  }

  /** All results that are committed now. */
  async allResults(): Promise<SendResult[]> {
    const records = await this.cluster.readAll(this.config.kafka.topics.sendResults)
    return Promise.all(records.map(({ value }) => codec.decode('SendResult', value)))
  }
}

export const startSending = async (t: TestContext, options: SendingOptions = {}): Promise<Sending> => {
  const { script, extensions = usualExtensions, smtp, imap, account, accounts, settings, files, brokers } = options
  const server = await startScriptServer(t, { extensions, ...(script === undefined ? {} : { script }) })
  const main = {
    smtp: { host: '127.0.0.1', port: server.port, security: 'none', from: 'Main <main@example.com>', ...smtp },
    ...(imap === undefined ? {} : { imap }),
    ...account,
  }
  const deployment = await deploy(t, { main, ...accounts }, { send: quickRetry, ...settings }, files, brokers)
  await createTopics(deployment.config)
  return new Sending(t, server, deployment, (await testServers()).brokers)
}

/** So that something can be published before a worker is there. */
const createTopics = async (config: Config): Promise<void> => {
  const kafka = createKafka(config.kafka, { clientId: 'test', patience: 'worker', log: () => undefined })
  const admin = kafka.admin()
  await admin.connect()
  await ensureTopics(admin, planTopics(config))
  await admin.disconnect()
}

/** In the order of the attempts; of one request. */
export const ofRequest = (results: readonly SendResult[], id: string): SendResult[] =>
  results
    .filter((result) => result.id === id)
    .toSorted((a, b) => a.completedAt - b.completedAt || a.attempt - b.attempt)
