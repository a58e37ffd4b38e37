/** What one invocation has: its options, and the configuration and clients that they lead to, each made once. */
import type { Command } from 'commander'
import { stringify } from 'yaml'
import { createCodec, type RecordCodec } from '../avro/codec.ts'
import { createSchemaRegistry, type SchemaRegistry } from '../avro/schema-registry.ts'
import { loadSchemas } from '../avro/schema-store.ts'
import type { CheckPorts } from '../check/plan-checks.ts'
import { compileConfig } from '../config/compile-config.ts'
import type { Config } from '../config/config.ts'
import { PosthornError } from '../errors.ts'
import { defaultConfigFile, loadConfig } from '../config/load-config.ts'
import type { Posthorn, PosthornOptions } from '../main.ts'
import { Releasers, type Release } from '../lifecycle.ts'
import type { OAuthTokensOptions } from '../oauth/oauth-tokens.ts'
import type { ConnectKafka, KafkaClients } from './kafka-clients.ts'
import { writeText, type CliIo } from './io.ts'
import { toJsonLine, toSafeText } from './printable.ts'

export interface GlobalOptions {
  config?: string
  /** Of the commands that need nothing but Kafka: `host:port,…` instead of a configuration file. */
  brokers?: string
  debug?: boolean
  json?: boolean
}

/** What the command line needs of the rest of Posthorn. */
export interface CliPorts {
  connectKafka: ConnectKafka
  createCheckPorts: (context: CliContext) => CheckPorts
  startPosthorn: (config: Config, options: PosthornOptions) => Promise<Pick<Posthorn, 'reload' | 'stop'>>
}

const cached = <T>(make: () => T): (() => T) => {
  let made: { value: T } | null = null
  return () => (made ??= { value: make() }).value
}

export class CliContext {
  readonly io: CliIo
  readonly #ports: CliPorts
  readonly #releasers = new Releasers()
  /** Set before a command's action runs. */
  options: GlobalOptions = {}
  /** What the process will exit with. */
  exitCode = 0

  constructor(io: CliIo, ports: CliPorts) {
    this.io = io
    this.#ports = ports
  }

  /** @throws PosthornError `CONFIG_UNREADABLE`, `CONFIG_INVALID` */
  readonly config: () => Config = cached(() => this.readConfig())

  /** Reads it again. */
  readConfig(): Config {
    const { config: path, brokers } = this.options
    if (brokers === undefined) return loadConfig(path ?? defaultConfigFile, this.io.env)
    const list = brokers.split(',').map((broker) => broker.trim())
    if (path === undefined) return this.#compileBrokers(list)
    const config = loadConfig(path, this.io.env)
    return { ...config, kafka: { ...config.kafka, brokers: this.#compileBrokers(list).kafka.brokers } }
  }

  readonly kafka: () => KafkaClients = cached(() => {
    const clients = this.#ports.connectKafka(this.config().kafka, (_, text) => this.debug(text), this.io.signal)
    this.#releasers.add(() => clients.close())
    return clients
  })

  readonly schemas = cached(loadSchemas)

  /** @throws PosthornError `USAGE_INVALID`: none is configured */
  readonly registry: () => SchemaRegistry = cached(() => {
    const { registry: config } = this.config().avro
    if (config === null) {
      throw new PosthornError('USAGE_INVALID', 'no schema registry is configured', {
        stage: 'configure',
        action: 'Set avro.registry.',
      })
    }
    const registry = createSchemaRegistry(config)
    this.#releasers.add(() => registry.close())
    return registry
  })

  readonly codec: () => RecordCodec = cached(() => {
    const { encoding, registry } = this.config().avro
    return createCodec({ schemas: this.schemas(), encoding, registry: registry === null ? null : this.registry() })
  })

  /** For what is opened by a command itself. */
  onClose(release: Release): void {
    this.#releasers.add(release)
  }

  oauthOptions(): OAuthTokensOptions {
    const config = this.config()
    const topic = config.kafka.topics.oauthTokens
    return {
      config,
      openRecords: () => ({
        read: () => this.kafka().read({ topic, from: 'beginning', untilEnd: false }),
        producer: this.kafka().producer(),
      }),
      patience: 'command',
      // What keeps a command from its tokens is thrown at it.
      emit: () => undefined,
      now: this.io.now,
      random: Math.random,
    }
  }

  checkPorts(): CheckPorts {
    return this.#ports.createCheckPorts(this)
  }

  get startPosthorn(): CliPorts['startPosthorn'] {
    return this.#ports.startPosthorn
  }

  /** To stdout, for programs. */
  async printJson(value: unknown): Promise<void> {
    await writeText(this.io.stdout, `${toJsonLine(value)}\n`)
  }

  /** To stdout, for people. */
  async print(text: string): Promise<void> {
    await writeText(this.io.stdout, text)
  }

  /** To stderr. */
  progress(text: string): void {
    void writeText(this.io.stderr, `${toSafeText(text)}\n`)
  }

  debug(text: string): void {
    if (this.options.debug === true) this.progress(text)
  }

  async close(): Promise<void> {
    await this.#releasers.releaseAll()
  }

  #compileBrokers(brokers: string[]): Config {
    return compileConfig(stringify({ kafka: { brokers } }), {
      fileName: '--brokers',
      env: {},
      readFile: () => {
        throw new Error('no file is named here')
      },
    })
  }
}

/** Adds one command to the program. */
export type Register = (program: Command, context: CliContext) => void
