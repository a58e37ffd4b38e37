/** Plain Kafka clients for tests that look at Posthorn from outside. */
import { createCodec } from '../../src/avro/codec.ts'
import type { RecordName, RecordTypes } from '../../src/avro/records.ts'
import { loadSchemas } from '../../src/avro/schema-store.ts'
import type { Config } from '../../src/config/config.ts'
import { createKafka } from '../../src/kafka/connect.ts'
import { createRecordProducer } from '../../src/kafka/record-producer.ts'
import type { ConsumedRecord, OutgoingRecord } from '../../src/kafka/records.ts'
import { TopicReader } from '../../src/kafka/topic-reader.ts'
import type { Scope } from './worker.ts'

export const codec = createCodec({ schemas: loadSchemas(), encoding: 'single-object', registry: null })

export class Cluster {
  readonly #kafka
  readonly #producer

  constructor(t: Scope, config: Config) {
    this.#kafka = createKafka(config.kafka, { clientId: 'test', patience: 'worker', log: () => undefined })
    this.#producer = createRecordProducer(this.#kafka)
    t.after(() => this.#producer.close())
  }

  send(records: readonly OutgoingRecord[]): Promise<void> {
    return this.#producer.send(records)
  }

  /** Everything that is committed in a topic now. */
  async readAll(topic: string): Promise<ConsumedRecord[]> {
    const records: ConsumedRecord[] = []
    for await (const record of await this.#open(topic, true)) records.push(record)
    return records
  }

  /** The first `count` records of a topic, awaited. */
  async take(topic: string, count: number): Promise<ConsumedRecord[]> {
    const records: ConsumedRecord[] = []
    for await (const record of await this.#open(topic, false)) {
      records.push(record)
      if (records.length === count) break
    }
    return records
  }

  async takeDecoded<N extends RecordName>(name: N, topic: string, count: number): Promise<RecordTypes[N][]> {
    return Promise.all((await this.take(topic, count)).map(({ value }) => codec.decode(name, value)))
  }

  #open(topic: string, untilEnd: boolean): Promise<TopicReader> {
    return TopicReader.open({ kafka: this.#kafka, topic, groupPrefix: 'test', from: 'beginning', untilEnd })
  }
}

/** Text of a header; null: it is not there. */
export const headerOf = (record: Pick<ConsumedRecord, 'headers'>, name: string): string | null =>
  record.headers.find((header) => header.name === name)?.value.toString('utf8') ?? null
