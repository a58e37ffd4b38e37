/** A single-node Apache Kafka (KRaft, combined mode) of one's own, on loopback. */
import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { awaitReady } from './await-ready.ts'
import { explainFailure } from './explain-failure.ts'
import { findFreePorts } from './free-ports.ts'
import type { ServerProcess, Supervisor } from './supervisor.ts'

export interface KafkaServerOptions {
  supervisor: Supervisor
  java: string
  jars: readonly string[]
  /** Its logs and records; kept between starts. */
  dataDir: string
  signal: AbortSignal
  /** Default: a free one. */
  port?: number
  secured?: SecuredListeners
}

/** What lets clients in by TLS and SASL, beside the plain listener. */
export interface SecuredListeners {
  listeners: readonly { name: string; protocol: 'SSL' | 'SASL_SSL'; port: number }[]
  /** Lines of the server's properties. */
  settings: readonly string[]
  /** Users of SCRAM, each as `kafka.tools.StorageTool format --add-scram` takes it. */
  scramUsers: readonly string[]
}

export interface KafkaServer {
  brokers: string[]
  port: number
  process: ServerProcess
}

const run = promisify(execFile)
/** Any valid one will do: the cluster has one node. */
const clusterId = 'cG9zdGhvcm4tZW1iZWRkZQ'

const toProperties = (dataDir: string, port: number, controllerPort: number, secured?: SecuredListeners): string => {
  const clients = [{ name: 'PLAINTEXT', protocol: 'PLAINTEXT', port }, ...(secured?.listeners ?? [])]
  const addresses = clients.map((listener) => `${listener.name}://127.0.0.1:${listener.port}`)
  const protocols = clients.map(({ name, protocol }) => `${name}:${protocol}`)
  return `
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${controllerPort}
listeners=${addresses.join(',')},CONTROLLER://127.0.0.1:${controllerPort}
advertised.listeners=${addresses.join(',')}
listener.security.protocol.map=${protocols.join(',')},CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=${join(dataDir, 'records')}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=10485760
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
${(secured?.settings ?? []).join('\n')}
`
}

const loggingConfig = `
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %m (%c{1})%n%ex{short}
`

/** ApiVersions v0 (KIP-35), the first thing that a broker answers: length, key 18, version 0, correlation 1, no client id. */
const apiVersionsRequest = Buffer.from('0000000a0012000000000001ffff', 'hex')

const answers = (port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = createConnection({ host: '127.0.0.1', port })
    socket.once('connect', () => socket.write(apiVersionsRequest))
    socket.once('data', () => {
      socket.destroy()
      resolve()
    })
    socket.once('error', reject)
    socket.setTimeout(1_000, () => socket.destroy(new Error('no answer')))
  })

/** @throws PosthornError `ENVIRONMENT_UNSUITABLE` */
export const startKafka = async (options: KafkaServerOptions): Promise<KafkaServer> => {
  const { supervisor, java, jars, dataDir, signal, secured } = options
  const [freePort = 0, controllerPort = 0] = await findFreePorts(2)
  const port = options.port ?? freePort
  const properties = join(dataDir, 'server.properties')
  const logging = join(dataDir, 'log4j2.properties')
  const classPath = ['-cp', jars.join(delimiter)]
  try {
    await mkdir(dataDir, { recursive: true })
    await writeFile(properties, toProperties(dataDir, port, controllerPort, secured))
    await writeFile(logging, loggingConfig)
    const format = ['kafka.tools.StorageTool', 'format', '--ignore-formatted', '-t', clusterId, '-c', properties]
    for (const user of secured?.scramUsers ?? []) format.push('--add-scram', user)
    await run(java, ['-XX:TieredStopAtLevel=1', `-Dlog4j2.configurationFile=${logging}`, ...classPath, ...format])
  } catch (error) {
    throw explainFailure(error, 'preparing Kafka')
  }
  const server = await supervisor.start({
    name: 'Kafka',
    command: java,
    args: [
      '-Xms128m',
      '-Xmx256m',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-Xss512k',
      `-Dlog4j2.configurationFile=${logging}`,
      ...classPath,
      'kafka.Kafka',
      properties,
    ],
    cwd: dataDir,
    logFile: join(dataDir, 'server.log'),
  })
  await awaitReady(server, () => answers(port), { name: 'Kafka', timeoutMs: 60_000, signal })
  return { brokers: [`127.0.0.1:${port}`], port, process: server }
}
