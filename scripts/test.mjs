// `npm test`: installs what is missing, runs the fast tests, then the suites on real servers.
//
// The rule: a test under test/integration/ needs servers, which are started once, here, and handed to the test
// processes by environment; every other test needs nothing but Node (`--fast` runs only those). With file names as
// arguments, only those run.
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { bootstrap, reportAndExit } from './bootstrap.mjs'

const integration = join('test', 'integration')
const isTest = (path) => path.endsWith('.test.ts')
const all = () =>
  readdirSync('test', { recursive: true })
    .map((path) => join('test', path))
    .filter(isTest)
    .sort()

const node = (args, env = {}) =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, args, { stdio: 'inherit', env: { ...process.env, ...env } })
    child.once('exit', (code) => resolve(code ?? 1))
  })

const runTests = (files, options = [], env = {}) =>
  node(['--import', 'tsx', '--test', '--test-timeout=180000', ...options, ...files], env)

process.chdir(new URL('..', import.meta.url).pathname)
try {
  bootstrap()
} catch (error) {
  reportAndExit(error)
}
const isFastOnly = process.argv.includes('--fast')
const wanted = process.argv.slice(2).filter((arg) => arg !== '--fast')
const files = wanted.length > 0 ? wanted : all()
const fast = files.filter((path) => !path.startsWith(integration))
const real = isFastOnly ? [] : files.filter((path) => path.startsWith(integration))

if (fast.length > 0) {
  const code = await runTests(fast, [`--test-concurrency=${availableParallelism()}`])
  if (code !== 0) process.exit(code)
}
if (real.length > 0) {
  const { startSharedServers } = await import('./shared-servers.mjs')
  const servers = await startSharedServers().catch(reportAndExit)
  try {
    process.exitCode = await runTests(real, ['--test-concurrency=2'], servers.env)
  } finally {
    await servers.stop()
  }
}
