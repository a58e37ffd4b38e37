/** An S3 server (S3Proxy on a folder) of one's own, on loopback. */
import { mkdir, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { awaitReady } from './await-ready.ts'
import { explainFailure } from './explain-failure.ts'
import { findFreePorts } from './free-ports.ts'
import type { ServerProcess, Supervisor } from './supervisor.ts'

export interface S3ServerOptions {
  supervisor: Supervisor
  java: string
  jars: readonly string[]
  dataDir: string
  accessKeyId: string
  secretAccessKey: string
  /** Made if they are not there. */
  buckets: readonly string[]
  signal: AbortSignal
}

export interface S3Server {
  endpoint: string
  process: ServerProcess
  createBucket(name: string): Promise<void>
}

/** @throws PosthornError `ENVIRONMENT_UNSUITABLE` */
export const startS3 = async (options: S3ServerOptions): Promise<S3Server> => {
  const { supervisor, java, jars, dataDir, accessKeyId, secretAccessKey, buckets, signal } = options
  const [port = 0] = await findFreePorts(1)
  const endpoint = `http://127.0.0.1:${port}`
  const properties = join(dataDir, 's3proxy.conf')
  const objects = join(dataDir, 'objects')
  // A bucket is a folder to this server.
  const createBucket = async (name: string) => {
    await mkdir(join(objects, name), { recursive: true })
  }
  try {
    await mkdir(objects, { recursive: true })
    for (const bucket of buckets) await createBucket(bucket)
    const settings = {
      's3proxy.endpoint': endpoint,
      's3proxy.authorization': 'aws-v2-or-v4',
      's3proxy.identity': accessKeyId,
      's3proxy.credential': secretAccessKey,
      'jclouds.provider': 'filesystem-nio2',
      'jclouds.filesystem.basedir': objects,
      'jclouds.identity': 'local',
      'jclouds.credential': 'local',
    }
    await writeFile(
      properties,
      Object.entries(settings)
        .map((pair) => pair.join('='))
        .join('\n'),
      { mode: 0o600 },
    )
  } catch (error) {
    throw explainFailure(error, 'preparing the S3 server')
  }
  const server = await supervisor.start({
    name: 'the S3 server',
    command: java,
    args: [
      '-Xmx128m',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-cp',
      jars.join(delimiter),
      'org.gaul.s3proxy.Main',
      '--properties',
      properties,
    ],
    cwd: dataDir,
    logFile: join(dataDir, 'server.log'),
  })
  const probe = async () => {
    // Without credentials it refuses, and to refuse it must be up.
    await (await fetch(endpoint, { signal: AbortSignal.timeout(1_000) })).text()
  }
  await awaitReady(server, probe, { name: 'the S3 server', timeoutMs: 60_000, signal })
  return { endpoint, process: server, createBucket }
}
