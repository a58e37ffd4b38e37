/** Python packages for cross-checks, installed once into the cache and shared by the tests. */

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { readCacheSettings } from '../../src/embedded/cache-settings.ts'

const run = promisify(execFile)
const installTimeoutMs = 120_000

const cacheFolder = (): string => readCacheSettings(process.env, homedir()).cacheDir

/** A whole run of a script: what it prints to `input`. Rejects with its last words when it fails. */
export type Script = (file: string, args: string[], input: string) => Promise<string>

/**
 * A way to run Python scripts with packages.
 *
 * @param requirements such as `fastavro==1.13.1`
 * @throws where this machine has no Python 3 with pip: a check that can't be made has failed
 */
export const pythonWith = async (...requirements: string[]): Promise<Script> => {
  const { stdout } = await run('python3', ['-c', 'import sys, pip; print(sys.implementation.cache_tag)'])
  const tag = stdout.trim()
  const parent = join(cacheFolder(), 'python')
  const folder = join(parent, `${requirements.join('+')}-${tag}`)
  if (!existsSync(folder)) {
    await mkdir(parent, { recursive: true })
    const partial = await mkdtemp(join(parent, 'partial-'))
    const options = ['--quiet', '--disable-pip-version-check', '--target', partial]
    await run('python3', ['-m', 'pip', 'install', ...options, ...requirements], { timeout: installTimeoutMs })
    // Another test process may have been faster: its folder is as good.
    await rename(partial, folder).catch(() => rm(partial, { recursive: true }))
  }
  return async (file, args, input) => {
    const env = { ...process.env, PYTHONPATH: folder, PYTHONIOENCODING: 'utf-8' }
    const child = spawn('python3', [file, ...args], { env, stdio: ['pipe', 'pipe', 'pipe'] })
    const output: Buffer[] = []
    const errors: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => errors.push(chunk))
    // A script that ends early says why on stderr; the broken pipe adds nothing.
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
    const [code] = await once(child, 'close')
    if (code !== 0)
      throw new Error(`${file} ended with ${code}: ${Buffer.concat(errors).toString('utf8').slice(-2000)}`)
    return Buffer.concat(output).toString('utf8')
  }
}
