/** `npm start` as a person has it, in a folder of its own. */
import assert from 'node:assert/strict'
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)
const start = new URL('../../scripts/start.mjs', import.meta.url).pathname

export interface DemoFolder {
  folder: string
  env: NodeJS.ProcessEnv
  /** Starts it. */
  start(args: readonly string[]): ChildProcess & { stdout: Readable; stderr: Readable }
  /** What runs of it, one line a process. */
  running(): Promise<string[]>
  untilNoneRuns(): Promise<void>
}

/** Every process has the folder in its environment, and so has what it starts. */
export const demoFolder = async (t: TestContext, settings: NodeJS.ProcessEnv = {}): Promise<DemoFolder> => {
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-demo-test-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const env = { ...process.env, ...settings, POSTHORN_DEMO_TEST: folder }
  const running = async (): Promise<string[]> => {
    const { stdout } = await run('ps', ['axeww', '-o', 'pid=,command='], { maxBuffer: 64 * 1_048_576 })
    return stdout
      .split('\n')
      .filter((line) => line.includes(`POSTHORN_DEMO_TEST=${folder}`) && !line.includes(' ps axe'))
  }
  return {
    folder,
    env,
    start: (args) => {
      const child = spawn(process.execPath, [start, ...args], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
      t.after(() => child.kill('SIGKILL'))
      return child
    },
    running,
    untilNoneRuns: async () => {
      for (let left = 200; (await running()).length > 0; left -= 1) {
        assert.ok(left > 0, `still running: ${(await running()).join('\n').slice(0, 500)}`)
        await delay(100)
      }
    },
  }
}

/** Resolves at the first line that has the text. Fails with everything that was said when the stream ends without it. */
export const untilLine = async (stream: Readable, text: string): Promise<string> => {
  const seen: string[] = []
  for await (const line of createInterface({ input: stream })) {
    if (line.includes(text)) return line
    seen.push(line)
  }
  throw new Error(`it ended without “${text}”: ${seen.join('\n').slice(-2_000)}`)
}
