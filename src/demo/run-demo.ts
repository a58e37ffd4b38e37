/** What `npm start` runs: embedded servers, Posthorn on them, one round trip. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createCodec } from '../avro/codec.ts'
import { loadSchemas } from '../avro/schema-store.ts'
import { compileConfig } from '../config/compile-config.ts'
import type { Config } from '../config/config.ts'
import { readCacheSettings } from '../embedded/cache-settings.ts'
import { startEmbeddedServers, type EmbeddedServers } from '../embedded/embedded-servers.ts'
import { explainFailure } from '../embedded/explain-failure.ts'
import type { FetchProgress } from '../embedded/fetch-jars.ts'
import { PosthornError } from '../errors.ts'
import type { Emit } from '../events.ts'
import { createKafka } from '../kafka/connect.ts'
import { createRecordProducer } from '../kafka/record-producer.ts'
import { TopicReader } from '../kafka/topic-reader.ts'
import { orAborted, type Releasers } from '../lifecycle.ts'
import { createS3AttachmentStore } from '../mail/s3-attachment-store.ts'
import { startPosthorn, type PosthornOptions } from '../main.ts'
import { buildDemoConfig, demoStorage, demoUser } from './demo-config.ts'
import { runRoundTrip, type RoundTrip } from './round-trip.ts'

export interface DemoOptions {
  env: Readonly<Record<string, string | undefined>>
  signal: AbortSignal
  createId: () => string
  now: () => number
  random: () => number
  emit: Emit
  kafkaLog: PosthornOptions['kafkaLog']
  /** A step, for a person. */
  say: (text: string) => void
  /** The same line again and again, with how much has been fetched. */
  showProgress: (text: string) => void
}

export interface Demo {
  summary: RoundTrip & { ok: true; endpoints: Record<'kafka' | 'smtp' | 'imap' | 's3', string>; seconds: number }
  /** URL of health, readiness and metrics. */
  http: string
  /** Where the configuration of the running demo is. */
  configFile: string
  /** Aborted, with the reason, when a server has ended by itself. */
  ended: AbortSignal
}

const readyTimeoutMs = 60_000
/** Without its servers Posthorn may find no end. */
const stopTimeoutMs = 10_000
const reasonPatienceMs = 2_000

/** Everything that is started is registered with `releasers`. @throws PosthornError, or the reason of the signal */
export const runDemo = async (releasers: Releasers, options: DemoOptions): Promise<Demo> => {
  const { env, signal, now, say } = options
  const startedAt = now()
  const dataDir = await mkdtemp(join(tmpdir(), 'posthorn-demo-')).catch((error: unknown) => {
    throw explainFailure(error, 'making a temporary folder')
  })
  releasers.add(() => rm(dataDir, { recursive: true, force: true }))
  const servers = await startEmbeddedServers(releasers, {
    ...readCacheSettings(env, homedir()),
    ...demoStorage,
    dataDir,
    users: [demoUser],
    signal,
    onStep: say,
    onFetch: (progress) => options.showProgress(describeProgress(progress)),
  })
  const either = AbortSignal.any([signal, servers.ended])
  const going = useServers(releasers, servers, dataDir, { ...options, signal: either })
  const demo = await orAborted(going, either).catch(async (error: unknown) => {
    // A lost connection may be the first that is seen of a server's end, which knows the reason.
    if (!either.aborted) await delay(reasonPatienceMs, undefined, { signal: either }).catch(() => undefined)
    either.throwIfAborted()
    throw error
  })
  const seconds = Math.round((now() - startedAt) / 100) / 10
  return { ...demo, summary: { ...demo.summary, seconds }, ended: servers.ended }
}

const useServers = async (
  releasers: Releasers,
  servers: EmbeddedServers,
  dataDir: string,
  options: DemoOptions,
): Promise<Pick<Demo, 'http' | 'configFile'> & { summary: Omit<Demo['summary'], 'seconds'> }> => {
  const { signal, now, random, kafkaLog, createId, say } = options
  const { config, configFile } = await writeConfig(releasers, servers, dataDir)
  say('starting Posthorn')
  let http = ''
  const emit: Emit = (event) => {
    if (event.type === 'Listening') http = event.url
    options.emit(event)
  }
  const posthorn = await startPosthorn(config, { roles: ['send', 'receive'], emit, kafkaLog, signal, now, random })
  releasers.add(() => Promise.race([posthorn.stop(), delay(stopTimeoutMs, undefined, { ref: false })]))
  for (const deadline = now() + readyTimeoutMs; posthorn.awaited.length > 0; await delay(20, undefined, { signal })) {
    if (now() > deadline)
      throw new PosthornError('INTERNAL', 'Posthorn did not become ready in time', { stage: 'start' })
  }

  const kafka = createKafka(config.kafka, { clientId: 'posthorn-demo', patience: 'command', log: kafkaLog })
  const store = createS3AttachmentStore({ ...requireStorage(config) })
  const producer = createRecordProducer(kafka)
  const readers: TopicReader[] = []
  try {
    const trip = await runRoundTrip({
      config,
      codec: createCodec({ schemas: loadSchemas(), encoding: config.avro.encoding, registry: null }),
      store,
      producer,
      read: async (topic) => {
        const groupPrefix = `${config.kafka.group}.demo`
        const reader = await TopicReader.open({ kafka, topic, groupPrefix, from: 'latest', untilEnd: false, signal })
        readers.push(reader)
        return reader
      },
      createId,
      say,
    })
    return { summary: { ok: true, ...trip, endpoints: toEndpoints(servers) }, http, configFile }
  } finally {
    await Promise.all(readers.map((reader) => reader.close()))
    await producer.close()
    store.close()
  }
}

/** Under the current folder, where the next command is typed; where that is read-only, with the data. */
const writeConfig = async (
  releasers: Releasers,
  servers: EmbeddedServers,
  dataDir: string,
): Promise<{ config: Config; configFile: string }> => {
  const text = buildDemoConfig(servers)
  const write = async (folder: string): Promise<string> => {
    await mkdir(folder, { recursive: true })
    const path = join(folder, 'demo.yaml')
    await writeFile(path, text, { mode: 0o600 })
    return path
  }
  const configFile = await write('.posthorn')
    .catch(() => write(dataDir))
    .catch((error: unknown) => {
      throw explainFailure(error, 'writing the configuration')
    })
  // Another demo may have been started in this folder since.
  releasers.add(async () => {
    if ((await readFile(configFile, 'utf8').catch(() => '')) === text) await rm(configFile, { force: true })
  })
  const refuse = () => {
    throw new Error('the demo refers to no file')
  }
  return { config: compileConfig(text, { fileName: configFile, env: {}, readFile: refuse }), configFile }
}

const requireStorage = ({ storage }: Config): NonNullable<Config['storage']> => {
  if (storage === null) throw new Error('the demo stores attachments')
  return storage
}

const toEndpoints = ({ kafka, mail, s3 }: EmbeddedServers): Demo['summary']['endpoints'] => ({
  kafka: kafka.brokers.join(','),
  smtp: `${mail.host}:${mail.smtpPort}`,
  imap: `${mail.host}:${mail.imapPort}`,
  s3: s3.endpoint,
})

const mebibyte = 1_048_576
const describeProgress = ({ files, totalFiles, bytes, totalBytes }: FetchProgress): string =>
  `fetching Kafka, the mail server and the S3 server: ${files} of ${totalFiles} files, ` +
  `${Math.round(bytes / mebibyte)} of ${Math.round(totalBytes / mebibyte)} MB`
