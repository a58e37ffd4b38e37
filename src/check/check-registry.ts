import type { SchemaRegistry } from '../avro/schema-registry.ts'
import type { SchemaStore } from '../avro/schema-store.ts'
import { subjectOf, writtenRecords } from '../avro/topic-records.ts'
import type { AvroConfig, RegistryConfig, TopicsConfig } from '../config/config.ts'
import { takeUrlTlsStep } from './check-network.ts'
import type { Check } from './check-result.ts'

export interface RegistryCheckPorts {
  /** @returns how many subjects there are. @throws PosthornError */
  countSubjects: () => Promise<number>
  inspect: SchemaRegistry['inspect']
  schema: SchemaStore['schema']
}

export interface CheckedRegistry {
  registry: Pick<RegistryConfig, 'url' | 'tls'>
  encoding: AvroConfig['encoding']
  topics: TopicsConfig
}

const list = (names: readonly string[]): string => names.join(', ')

/** @param now milliseconds since the epoch */
export const checkRegistry = (
  { registry: { url, tls }, encoding, topics }: CheckedRegistry,
  { countSubjects, inspect, schema }: RegistryCheckPorts,
  now: () => number,
): Check => ({
  component: 'registry',
  account: null,
  run: async (takeStep) => {
    await takeUrlTlsStep('registry', url, tls, takeStep, now)
    await takeStep('connect', countSubjects, (count) => `${url} has ${count} subjects`)
    // Only reading: whatever the producers have registered will do.
    if (encoding !== 'confluent') return
    await takeStep(
      'subjects',
      async () => {
        const absent: string[] = []
        for (const { record, topic } of writtenRecords(topics)) {
          const { state } = await inspect(subjectOf(topic), schema(record).json)
          if (state !== 'registered') absent.push(subjectOf(topic))
        }
        return absent
      },
      (absent) =>
        absent.length === 0
          ? "this version's schemas are registered"
          : `this version's schemas fit; posthorn run, or posthorn schemas register, will register ${list(absent)}`,
    )
  },
})
