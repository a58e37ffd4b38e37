/** Records to bytes and back, in the two encodings of the contract; both are read whatever is written. */

import { PosthornError } from '../errors.ts'
import { recordNames, type RecordInputs, type RecordName, type RecordTypes } from './records.ts'
import { parseRecordType, type RecordType } from './avro-type.ts'
import type { SchemaRegistry } from './schema-registry.ts'
import type { Reader, SchemaStore } from './schema-store.ts'
import { subjectOf } from './topic-records.ts'
import { confluentHeader, readFrame, type Frame } from './wire-format.ts'

export interface RecordCodec {
  /**
   * Bytes of a record for a topic. Fields left out get their defaults; text that UTF-8 can't express (unpaired
   * surrogates) has U+FFFD in its place; fields that the record does not have are ignored.
   *
   * @throws PosthornError RECORD_INVALID; with a registry also REGISTRY_UNREACHABLE (retryable), REGISTRY_INCOMPATIBLE
   */
  encode<N extends RecordName>(record: N, value: RecordInputs[N], topic: string): Promise<Buffer>
  /** Like `encode`, for values from outside: one with a field that the record does not have is refused as well. */
  encodeInput(record: RecordName, value: unknown, topic: string): Promise<Buffer>
  /**
   * @throws PosthornError RECORD_NULL, RECORD_UNRECOGNIZED, RECORD_SCHEMA_UNKNOWN, RECORD_WRONG_TYPE,
   *   RECORD_UNDECODABLE: the record is a dead letter. REGISTRY_UNREACHABLE (retryable): it says nothing of the record.
   */
  decode<N extends RecordName>(record: N, bytes: Buffer | null): Promise<RecordTypes[N]>
  /** Like `decode`, where any of the records may come. */
  decodeAny(bytes: Buffer | null): Promise<DecodedRecord>
  /**
   * With a registry: makes sure that this version's schema can be written to a topic, so that a conflict is found at
   * start. Else does nothing.
   *
   * @throws PosthornError REGISTRY_INCOMPATIBLE, REGISTRY_UNREACHABLE
   */
  prepare(record: RecordName, topic: string): Promise<void>
}

export type DecodedRecord = { [N in RecordName]: { record: N; value: RecordTypes[N] } }[RecordName]

export interface CodecDependencies {
  schemas: SchemaStore
  encoding: 'single-object' | 'confluent'
  /** Null: records in Confluent wire format can't be read. */
  registry: Pick<SchemaRegistry, 'schemaById' | 'register'> | null
}

const schemaUnknown = (what: string, action: string, cause?: unknown): PosthornError =>
  new PosthornError('RECORD_SCHEMA_UNKNOWN', what, { stage: 'decode', action, cause })

/** Remembers what `load` yields; concurrent callers wait for one load; a failed one is tried again by the next. */
const cached = <A extends (string | number)[], V>(load: (...key: A) => Promise<V>): ((...key: A) => Promise<V>) => {
  const loads = new Map<string, Promise<V>>()
  return (...key) => {
    const name = key.join('\n')
    const known = loads.get(name)
    if (known !== undefined) return known
    const loading = load(...key)
    loads.set(name, loading)
    loading.catch(() => loads.delete(name))
    return loading
  }
}

/** What reads the bodies of one writer's schema; without `read` where that is of a record which is none of ours. */
type ForeignReader = Reader | { record: string; read: null }

const foreignReader = (schemas: SchemaStore, id: number, schema: unknown): ForeignReader => {
  const action = 'Have the producer use a compatible version of schemas/.'
  let writer: RecordType
  try {
    writer = parseRecordType(schema)
  } catch (cause) {
    throw schemaUnknown(`schema id ${id} is not a usable Avro record`, action, cause)
  }
  const record = recordNames.find((name) => writer.name === `posthorn.${name}`)
  if (record === undefined) return { record: writer.name ?? 'a record without a name', read: null }
  try {
    return { record, read: schemas.schema(record).readerOf(writer) }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw schemaUnknown(`schema id ${id} can't be read as ${record}: ${why}`, action, cause)
  }
}

const wrongType = (actual: string, expected: string): PosthornError =>
  new PosthornError('RECORD_WRONG_TYPE', `the record is ${actual}, where ${expected} is expected`, {
    stage: 'decode',
    action: 'Check which topic the producer writes to.',
  })

export const createCodec = ({ schemas, encoding, registry }: CodecDependencies): RecordCodec => {
  const readerOfId = cached(async (id: number): Promise<ForeignReader> => {
    if (registry !== null) return foreignReader(schemas, id, await registry.schemaById(id))
    throw schemaUnknown(`the record names schema id ${id} of a registry, but none is configured`, 'Set avro.registry.')
  })

  const readerOf = (frame: Frame): ForeignReader | Promise<ForeignReader> => {
    if (frame.format === 'confluent') return readerOfId(frame.schemaId)
    const reader = schemas.reader(frame.fingerprint)
    if (reader !== undefined) return reader
    const action = 'Use a schema of schemas/released, or upgrade Posthorn where the producer is newer.'
    throw schemaUnknown(`no released schema has the record's fingerprint ${frame.fingerprint}`, action)
  }

  const registeredHeader = cached(async (record: RecordName, topic: string): Promise<Buffer> => {
    if (registry === null) throw new Error('the Confluent wire format needs a registry')
    return confluentHeader(await registry.register(subjectOf(topic), schemas.schema(record).json))
  })

  const headerOf = (record: RecordName, topic: string): Buffer | Promise<Buffer> =>
    encoding === 'confluent' ? registeredHeader(record, topic) : schemas.schema(record).singleObjectHeader

  const decode = async (bytes: Buffer | null, expected: RecordName | null): Promise<DecodedRecord> => {
    const frame = readFrame(bytes)
    const { record, read } = await readerOf(frame)
    if (read === null || (expected !== null && record !== expected))
      throw wrongType(record, expected ?? 'one of Posthorn')
    return { record, value: read(frame.bytes, frame.bodyStart) } as DecodedRecord
  }

  return {
    encode: async (record, value, topic) =>
      schemas.schema(record).write(await headerOf(record, topic), value, { strict: false }),
    encodeInput: async (record, value, topic) =>
      schemas.schema(record).write(await headerOf(record, topic), value, { strict: true }),
    decode: async <N extends RecordName>(record: N, bytes: Buffer | null) =>
      (await decode(bytes, record)).value as RecordTypes[N],
    decodeAny: (bytes) => decode(bytes, null),
    prepare: async (record, topic) => {
      await headerOf(record, topic)
    },
  }
}
