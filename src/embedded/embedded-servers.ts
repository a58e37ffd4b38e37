/** Everything that Posthorn needs, on this machine: Kafka, SMTP and IMAP, S3. No Docker, no root. */
import { join } from 'node:path'
import type { Releasers } from '../lifecycle.ts'
import { fetchJars, type FetchOptions } from './fetch-jars.ts'
import { findJava, type FindJavaOptions } from './java.ts'
import { startKafka, type KafkaServer } from './kafka-server.ts'
import { startMailServer, type MailServer, type MailUser } from './mail-server.ts'
import { startS3, type S3Server } from './s3-server.ts'
import { Supervisor } from './supervisor.ts'

export interface EmbeddedOptions extends Omit<FetchOptions, 'onProgress'> {
  javaHome: FindJavaOptions['javaHome']
  dataDir: string
  bucket: string
  accessKeyId: string
  secretAccessKey: string
  users: readonly MailUser[] | null
  onStep: (message: string) => void
  onFetch: FetchOptions['onProgress']
}

export interface EmbeddedServers {
  kafka: KafkaServer
  mail: MailServer
  s3: S3Server
  /** Aborted, with the reason, when one of them ends. */
  ended: AbortSignal
}

/**
 * Installs what is missing and starts the three servers side by side. They are registered for release as one; when one
 * can't start, the others are stopped as well.
 *
 * @throws PosthornError `ENVIRONMENT_UNSUITABLE`
 */
export const startEmbeddedServers = async (
  releasers: Releasers,
  options: EmbeddedOptions,
): Promise<EmbeddedServers> => {
  const { cacheDir, dataDir, signal, onStep, users, bucket, accessKeyId, secretAccessKey } = options
  const supervisor = new Supervisor()
  releasers.add(() => supervisor.close())
  const { path: java, major } = await findJava({ cacheDir, javaHome: options.javaHome, signal, onProgress: onStep })
  onStep(`using Java ${major}`)
  const jars = await fetchJars(['kafka', 's3', 'mail'], { ...options, onProgress: options.onFetch })
  onStep('starting Kafka, the mail server and the S3 server')
  const common = { supervisor, java, signal }
  const starting = [
    startKafka({ ...common, jars: jars.kafka, dataDir: join(dataDir, 'kafka') }),
    startMailServer({ ...common, jars: jars.mail, dataDir: join(dataDir, 'mail'), users }),
    startS3({
      ...common,
      jars: jars.s3,
      dataDir: join(dataDir, 's3'),
      accessKeyId,
      secretAccessKey,
      buckets: [bucket],
    }),
  ] as const
  // Not before each has settled is it certain what has to be stopped.
  await Promise.allSettled(starting)
  const [kafka, mail, s3] = await Promise.all(starting)
  const ended = new AbortController()
  for (const { process } of [kafka, mail, s3]) {
    void process.exited.then(async () => ended.abort(await process.explain()))
  }
  return { kafka, mail, s3, ended: ended.signal }
}
