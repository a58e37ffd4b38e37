// Makes a source checkout runnable: dependencies from the lockfile, then dist/ from src/. Plain JavaScript without
// dependencies, since it runs before anything is installed. Quick when nothing is missing.
import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const oldestNode = [20, 19]
const maxOutputLines = 20
const installArguments = ['ci', '--no-audit', '--no-fund', '--ignore-scripts']
const lockPatienceMs = 5 * 60_000

class BootstrapError extends Error {}

const modifiedAt = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0)

const newestIn = (folder) =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((newest, entry) => Math.max(newest, modifiedAt(join(entry.parentPath ?? entry.path, entry.name))), 0)

const run = (title, command, args) => {
  process.stderr.write(`posthorn: ${title}\n`)
  const { status, error, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8' })
  if (status === 0) return
  const output = error === undefined ? `${stdout}${stderr}`.trim().split('\n') : [error.message]
  // The reason comes first; npm goes on with its whole manual.
  throw new BootstrapError([`${title} failed:`, ...output.slice(0, maxOutputLines)].join('\n'))
}

const isInstalled = () =>
  modifiedAt(join(root, 'node_modules/.package-lock.json')) >= modifiedAt(join(root, 'package-lock.json')) &&
  existsSync(join(root, 'node_modules/.package-lock.json'))

const buildInfo = join(root, 'dist/.tsbuildinfo')
const bundler = join(root, 'scripts/bundle.mjs')
// The bundle is made last, of all that tsc wrote and of what is installed.
const bundle = join(root, 'dist/program/main.js')
const sources = ['tsconfig.build.json', 'scripts/bundle.mjs', 'package-lock.json']
const isBuilt = () =>
  modifiedAt(bundle) >= Math.max(newestIn('src'), ...sources.map((name) => modifiedAt(join(root, name))))

// One process at a time works on node_modules and dist; the others wait, then find everything there.
const withLock = (work) => {
  const lock = join(root, '.posthorn')
  mkdirSync(lock, { recursive: true })
  const path = join(lock, 'bootstrap.lock')
  for (const start = Date.now(); ;) {
    try {
      closeSync(openSync(path, 'wx'))
      break
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
      if (Date.now() - start > lockPatienceMs || Date.now() - modifiedAt(path) > lockPatienceMs)
        rmSync(path, { force: true })
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
    }
  }
  try {
    work()
  } finally {
    rmSync(path, { force: true })
  }
}

/** Throws with a sentence for a person; see `reportAndExit`. */
export const bootstrap = () => {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major < oldestNode[0] || (major === oldestNode[0] && minor < oldestNode[1])) {
    throw new BootstrapError(
      `Node ${process.versions.node} is too old: Posthorn needs ${oldestNode.join('.')} or newer`,
    )
  }
  if (isInstalled() && isBuilt()) return
  withLock(() => {
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
    if (!isInstalled()) run('installing dependencies (npm ci)', npm, installArguments)
    if (isBuilt()) return
    rmSync(buildInfo, { force: true })
    run('building', process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'])
    run('bundling', process.execPath, [bundler])
  })
}

export const reportAndExit = (error) => {
  process.stderr.write(`posthorn: ${error instanceof BootstrapError ? error.message : error.stack}\n`)
  process.exit(1)
}
