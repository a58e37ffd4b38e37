/** A Posthorn worker as its users run it: a process of its own, configured by a file, told to stop by signals. */
import { spawn, type ChildProcess } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { stringify } from 'yaml'
import type { Config } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load-config.ts'
import { testServers, uniqueName } from './servers.ts'

const command = new URL('../../bin/posthorn.js', import.meta.url).pathname
/** Every topic that the configuration can name. */
export const topicNames = [
  'sendRequests',
  'sendRetries',
  'sendResults',
  'inbound',
  'commands',
  'commandResults',
  'deadLetters',
  'checkpoints',
  'oauthTokens',
] as const

/** A test, or whatever else runs what is registered when it ends. */
export interface Scope {
  after(release: () => unknown): void
}

export interface Deployment {
  config: Config
  /** Path of the file that the workers read. */
  configFile: string
}

/** A configuration for the shared servers that shares no topic, group or object with another test. */
export const deploy = async (
  t: Scope,
  accounts: object,
  settings: object = {},
  /** Beside the configuration, by name. */
  files: Readonly<Record<string, string>> = {},
  /** Default: the shared broker itself. */
  brokers?: readonly string[],
): Promise<Deployment> => {
  const { brokers: shared, s3 } = await testServers()
  const name = uniqueName('t')
  const topics = Object.fromEntries(topicNames.map((topic) => [topic, `${name}.${topic}`]))
  const text = stringify({
    // The shortest that brokers take, so that a killed worker is soon replaced.
    kafka: {
      brokers: brokers ?? shared,
      group: name,
      sessionTimeout: '6s',
      topics: { ...topics, partitions: 4, replication: 1 },
    },
    storage: { ...s3, region: 'us-east-1', prefix: name, pathStyle: true },
    accounts,
    ...settings,
  })
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-worker-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const configFile = join(folder, 'posthorn.yaml')
  await writeFile(configFile, text)
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content)
  return { config: loadConfig(configFile, {}), configFile }
}

export interface LogLine {
  event?: string
  [field: string]: unknown
}

export class Worker {
  readonly #child: ChildProcess
  readonly #lines = new EventEmitter()
  readonly log: LogLine[] = []
  readonly exited: Promise<number | null>

  constructor(t: Scope, configFile: string, args: readonly string[] = []) {
    this.#child = spawn(process.execPath, [command, 'run', '--config', configFile, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.exited = once(this.#child, 'exit').then(([code]) => code as number | null)
    if (this.#child.stderr === null) throw new Error('stderr is a pipe')
    createInterface({ input: this.#child.stderr }).on('line', (line) => {
      const entry: LogLine = line.startsWith('{') ? (JSON.parse(line) as LogLine) : { text: line }
      this.log.push(entry)
      this.#lines.emit('line', entry)
    })
    t.after(() => this.kill())
  }

  /** Most memory that it has had, bytes (Linux). */
  async peakMemory(): Promise<number> {
    const status = await readFile(`/proc/${this.#child.pid}/status`, 'utf8')
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024
  }

  /** Waits for a line of the log, also one that has come already. Fails when the worker ends without it. */
  async seen(isMeant: (entry: LogLine) => boolean): Promise<LogLine> {
    const found = this.log.find(isMeant)
    if (found !== undefined) return found
    return new Promise((resolve, reject) => {
      const onLine = (entry: LogLine) => {
        if (!isMeant(entry)) return
        this.#lines.off('line', onLine)
        resolve(entry)
      }
      this.#lines.on('line', onLine)
      void this.exited.then((code) => {
        reject(new Error(`the worker ended with ${code}: ${JSON.stringify(this.log.slice(-5))}`))
      })
    })
  }

  /** What `awaited` comes to. Fails when the worker ends before. */
  until<T>(awaited: Promise<T>): Promise<T> {
    return Promise.race([awaited, this.seen(() => false) as Promise<never>])
  }

  /** As `seen`, but not for what has come already. */
  next(isMeant: (entry: LogLine) => boolean): Promise<LogLine> {
    const known = new Set(this.log)
    return this.seen((entry) => !known.has(entry) && isMeant(entry))
  }

  /** SIGSTOP: as a machine that is suspended. */
  freeze(): void {
    this.#child.kill('SIGSTOP')
  }

  thaw(): void {
    this.#child.kill('SIGCONT')
  }

  /** SIGTERM. @returns the exit code */
  async stop(): Promise<number | null> {
    this.#child.kill('SIGTERM')
    return this.exited
  }

  /** SIGHUP: read the configuration again. */
  reload(): void {
    this.#child.kill('SIGHUP')
  }

  /** SIGKILL: no last word. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.exited
  }
}
