/** A cluster in memory behind the command line's Kafka port: one partition a topic, every record committed at once. */
import assert from 'node:assert/strict'
import { Readable, Writable } from 'node:stream'
import { createCodec } from '../../src/avro/codec.ts'
import { loadSchemas } from '../../src/avro/schema-store.ts'
import { PosthornError } from '../../src/errors.ts'
import type { CheckPorts } from '../../src/check/plan-checks.ts'
import type { CliPorts } from '../../src/cli/context.ts'
import type { KafkaClients, ReadOptions, RecordReader } from '../../src/cli/kafka-clients.ts'
import { runCli } from '../../src/cli/run-cli.ts'
import type { ConsumedRecord, OutgoingRecord } from '../../src/kafka/records.ts'
import type { Committable } from '../../src/kafka/offset-tracker.ts'
import type { TopicAdmin } from '../../src/kafka/topics.ts'

export const codec = createCodec({ schemas: loadSchemas(), encoding: 'single-object', registry: null })

const workingCheckPorts: CheckPorts = {
  kafka: { connectAdmin: async () => ({ listTopics: async () => [] }) as unknown as TopicAdmin },
  registry: {
    countSubjects: async () => 6,
    inspect: async () => ({ state: 'registered', id: 1 }),
    schema: (record) => loadSchemas().schema(record),
  },
  storage: { probe: async () => undefined },
  verifySmtp: async () => ({ mechanism: null, extensions: ['PIPELINING', 'SIZE'], maxMessageBytes: 52_428_800 }),
  connectMailbox: async () => ({
    loginWay: 'AUTH=PLAIN',
    capabilities: new Set(['IDLE', 'MOVE']),
    listFolders: async () => [{ path: 'INBOX', specialUse: null }],
    open: async () => ({ uidValidity: 1, uidNext: 1 }),
    close: async () => undefined,
  }),
  now: () => 1_700_000_000_000,
}

export class FakeCluster {
  readonly topics = new Map<string, ConsumedRecord[]>()
  readonly opened: ReadOptions[] = []
  readonly connectedTo: string[] = []
  /** What has been done about the dead letters. */
  readonly handled = new Map<number, Committable>()
  /** Workers by consumer group. */
  readonly members = new Map<string, number>()
  isClosed = false
  checkPorts: CheckPorts = workingCheckPorts
  startPosthorn: CliPorts['startPosthorn'] = async () => assert.fail('nothing was to be started')
  /** Runs after a record was written: the other side of the conversation. */
  onRecord: (record: ConsumedRecord) => Promise<void> | void = () => undefined
  /** What a send of this record fails with. */
  refuse: (record: OutgoingRecord) => PosthornError | null = () => null
  #wake: (() => void)[] = []

  append(topic: string, record: Partial<ConsumedRecord>): ConsumedRecord {
    const records = this.topics.get(topic) ?? []
    this.topics.set(topic, records)
    const full = {
      topic,
      partition: 0,
      offset: records.length,
      timestamp: 1_700_000_000_000,
      key: null,
      value: null,
      headers: [],
      ...record,
    }
    records.push(full)
    for (const wake of this.#wake.splice(0)) wake()
    return full
  }

  get ports(): CliPorts {
    return {
      connectKafka: ({ brokers }, _, signal) => {
        this.connectedTo.push(...brokers)
        return this.#connect(signal)
      },
      createCheckPorts: () => this.checkPorts,
      startPosthorn: (config, options) => this.startPosthorn(config, options),
    }
  }

  #connect(signal: AbortSignal): KafkaClients {
    return {
      read: async (options) => this.#read(options, signal),
      producer: () => ({
        send: async (records) => {
          for (const record of records) {
            const refusal = this.refuse(record)
            if (refusal !== null) throw refusal
            const { topic, key, value, headers = [] } = record
            await this.onRecord(this.append(topic, { key: key === null ? null : Buffer.from(key), value, headers }))
          }
        },
        close: async () => undefined,
      }),
      admin: async () =>
        ({
          listTopics: async () => [...this.topics.keys()],
        }) as unknown as TopicAdmin,
      handledDeadLetters: () => ({
        read: async () => this.handled,
        commit: async (positions, records) => {
          for (const [partition, position] of positions) this.handled.set(partition, position)
          for (const { topic, key, value, headers = [] } of records) {
            await this.onRecord(this.append(topic, { key: key === null ? null : Buffer.from(key), value, headers }))
          }
        },
        close: async () => undefined,
      }),
      countMembers: async (groupId) => this.members.get(groupId) ?? 0,
      close: async () => {
        this.isClosed = true
      },
    }
  }

  #read(options: ReadOptions, signal: AbortSignal): RecordReader {
    this.opened.push(options)
    const records = this.topics.get(options.topic)
    if (records === undefined) {
      throw new PosthornError('KAFKA_TOPIC_UNSUITABLE', `no ${options.topic}`, { stage: 'start' })
    }
    let next = options.from === 'latest' ? records.length : 0
    let end = options.untilEnd ? records.length : Number.POSITIVE_INFINITY
    const close = async (): Promise<void> => {
      end = 0
      for (const wake of this.#wake.splice(0)) wake()
    }
    signal.addEventListener('abort', () => void close())
    const step = async (): Promise<IteratorResult<ConsumedRecord, undefined>> => {
      if (next >= end) return { done: true, value: undefined }
      const value = records[next]
      if (value !== undefined) {
        next += 1
        return { done: false, value }
      }
      await new Promise<void>((resolve) => this.#wake.push(resolve))
      return step()
    }
    const leave = async (): Promise<IteratorResult<ConsumedRecord, undefined>> => {
      await close()
      return { done: true, value: undefined }
    }
    return { close, [Symbol.asyncIterator]: () => ({ next: step, return: leave }) }
  }
}

export interface CliRun {
  code: number
  stdout: string
  stderr: string
  /** stdout as lines of JSON. */
  lines: never[]
}

export interface RunOptions {
  cluster?: FakeCluster
  stdin?: string
  isTerminal?: boolean
  signal?: AbortSignal
  onReload?: (listener: () => void) => void
}

class Collector extends Writable {
  text = ''

  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.text += chunk.toString('utf8')
    done()
  }
}

/** Runs the command line in this process, on `--brokers` unless the arguments name a configuration. */
export const runOn = async (argv: string[], options: RunOptions = {}): Promise<CliRun> => {
  const cluster = options.cluster ?? new FakeCluster()
  const stdout = new Collector()
  const stderr = new Collector()
  let ids = 0
  const code = await runCli(
    argv,
    {
      env: {},
      stdin: Object.assign(Readable.from(options.stdin === undefined ? [] : [options.stdin]), {
        isTTY: options.isTerminal ?? false,
      }),
      stdout,
      stderr,
      signal: options.signal ?? new AbortController().signal,
      onReload: options.onReload ?? (() => undefined),
      createId: () => `id-${(ids += 1)}`,
      now: () => 1_700_000_000_000,
    },
    cluster.ports,
  )
  const out = stdout.text
  const isJson = out.startsWith('{"')
  const lines = isJson
    ? out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as never)
    : []
  return { code, stdout: out, stderr: stderr.text, lines }
}
