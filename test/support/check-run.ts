/** Runs `posthorn check` in this process on the real servers, and the ports that tests of it need. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import type { TestContext } from 'node:test'
import { stringify } from 'yaml'
import type { CheckResult } from '../../src/check/check-result.ts'
import { realPorts } from '../../src/cli/real-ports.ts'
import { runCli } from '../../src/cli/run-cli.ts'
import { testServers, uniqueName } from './servers.ts'

/** Stands in every secret of a configuration under test, and must come out nowhere. */
export const planted = 'planted-secret'

class Collector extends Writable {
  text = ''

  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.text += chunk.toString('utf8')
    done()
  }
}

/** A command in this process, with everything real. */
export const runReal = async (argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> => {
  const stdout = new Collector()
  const stderr = new Collector()
  const code = await runCli(
    argv,
    {
      env: {},
      stdin: Object.assign(Readable.from([]), { isTTY: false }),
      stdout,
      stderr,
      signal: new AbortController().signal,
      onReload: () => undefined,
      createId: () => 'id',
      now: Date.now,
    },
    realPorts,
  )
  return { code, stdout: stdout.text, stderr: stderr.text }
}

export interface CheckRun {
  code: number
  ok: boolean
  checks: CheckResult[]
  table: string
}

export interface CheckOptions {
  /** As a person sees it. */
  asTable?: boolean
  /** Beside the configuration, by name. */
  files?: Readonly<Record<string, string>>
}

/** Runs it once for a program and returns what came; with `asTable` for a person. */
export const runCheck = async (
  t: TestContext,
  config: object,
  { asTable = false, files = {} }: CheckOptions = {},
): Promise<CheckRun> => {
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-check-'))
  t.after(() => rm(folder, { recursive: true }))
  const { brokers } = await testServers()
  const name = uniqueName('check')
  const topics = Object.fromEntries(['inbound', 'checkpoints', 'commands'].map((topic) => [topic, `${name}.${topic}`]))
  for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text)
  const file = join(folder, 'posthorn.yaml')
  await writeFile(file, stringify({ kafka: { brokers, topics: { ...topics, replication: 1 } }, ...config }))
  const { code, stdout, stderr } = await runReal(['check', '--config', file, ...(asTable ? [] : ['--json'])])
  assert.doesNotMatch(stdout + stderr, new RegExp(planted))
  if (asTable) return { code, ok: false, checks: [], table: stdout }
  assert.equal(stdout.trimEnd().split('\n').length, 1, 'exactly one object')
  const report = JSON.parse(stdout) as Pick<CheckRun, 'ok' | 'checks'>
  return { code, ...report, table: '' }
}

export const closedPort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Accepts connections and never says a word. */
export const silentPort = async (t: TestContext): Promise<number> => {
  const sockets = new Set<{ destroy(): void }>()
  const server = createServer((socket) => sockets.add(socket.on('error', () => undefined))).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** The shared object store. */
export const storageOf = async (changes: object = {}): Promise<object> => ({
  ...(await testServers()).s3,
  region: 'us-east-1',
  pathStyle: true,
  ...changes,
})
