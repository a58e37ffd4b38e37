/** The servers of the benchmarks: a Dovecot, a Kafka and an object store, each a process of its own on loopback. */
import { mkdtemp, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { readCacheSettings } from '../../src/embedded/cache-settings.ts'
import { fetchJars } from '../../src/embedded/fetch-jars.ts'
import { findJava } from '../../src/embedded/java.ts'
import { startKafka } from '../../src/embedded/kafka-server.ts'
import { startS3 } from '../../src/embedded/s3-server.ts'
import { Supervisor } from '../../src/embedded/supervisor.ts'
import { createKafka } from '../../src/kafka/connect.ts'
import type { Releasers } from '../../src/lifecycle.ts'
import { startDovecot, type Dovecot, type DovecotOptions } from '../../test/support/dovecot-server.ts'
import { startMeasured } from './measured-process.ts'

export interface BenchServers {
  dovecot: Dovecot
  brokers: string[]
  s3: { endpoint: string; bucket: string; accessKeyId: string; secretAccessKey: string }
  /** Removed at the end. */
  folder: string
}

export interface BenchServerOptions {
  dovecot?: DovecotOptions
  /** `stub`: does as little as can be; `digests`: it keeps only hashes; `s3proxy`: a whole server, on a folder. */
  s3: 'stub' | 'digests' | 's3proxy'
}

const bucket = 'mail'
const accessKeyId = 'test'
const secretAccessKey = 'test-secret'
const stubProgram = new URL('../s3-stub.ts', import.meta.url).pathname

const startStub = async (releasers: Releasers, mode: string): Promise<string> => {
  const stub = startMeasured(process.execPath, ['--import', 'tsx', stubProgram, mode])
  releasers.add(async () => {
    stub.signal('SIGTERM')
    await stub.finished.catch(() => undefined)
  })
  return `http://127.0.0.1:${await stub.seen((line) => /^\d+$/.test(line))}`
}

/** A new broker makes the topic of the groups' offsets when the first group asks; until it is loaded, joins fail. */
const awaitCoordinators = async (brokers: string[]): Promise<void> => {
  const admin = createKafka(
    { brokers, tls: null, sasl: null },
    { clientId: 'bench', patience: 'worker', log: () => undefined },
  ).admin()
  await admin.connect()
  for (let group = 0; group < 16;) {
    const isLoaded = await admin.fetchOffsets({ groupId: `warm-up-${group}`, topics: [] }).then(
      () => true,
      () => delay(100, false),
    )
    if (isLoaded) group += 1
  }
  await admin.disconnect()
}

export const startBenchServers = async (
  releasers: Releasers,
  { dovecot: dovecotOptions = {}, s3 }: BenchServerOptions,
): Promise<BenchServers> => {
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-bench-'))
  releasers.add(() => rm(folder, { recursive: true, force: true }))
  const settings = readCacheSettings(process.env, homedir())
  const { signal } = new AbortController()
  const supervisor = new Supervisor()
  releasers.add(() => supervisor.close())
  const { path: java } = await findJava({ ...settings, onProgress: () => undefined })
  const jars = await fetchJars(['kafka', 's3'], { ...settings, signal, onProgress: () => undefined })
  const common = { supervisor, java, signal }
  const kafka = await startKafka({ ...common, jars: jars.kafka, dataDir: join(folder, 'kafka') })
  await awaitCoordinators(kafka.brokers)
  const s3Options = { accessKeyId, secretAccessKey, buckets: [bucket], dataDir: join(folder, 's3'), jars: jars.s3 }
  const endpoint =
    s3 === 's3proxy' ? (await startS3({ ...common, ...s3Options })).endpoint : await startStub(releasers, s3)
  const dovecot = await startDovecot(dovecotOptions)
  releasers.add(() => dovecot.release())
  return { dovecot, brokers: kafka.brokers, s3: { endpoint, bucket, accessKeyId, secretAccessKey }, folder }
}
