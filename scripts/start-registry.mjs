// A schema registry (Apicurio, with the Confluent-compatible API) for the tests. Run after the bootstrap: it uses dist/.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const artifact = {
  groupId: 'io.apicurio',
  artifactId: 'apicurio-registry-app',
  version: '2.6.13.Final',
  extension: 'tar.gz',
  classifier: 'all',
}
const sha256 = '3cda1b34aa020fb4ac4dd6a66018d757e81e437f97e20a1f92d366b70091c6ba'
const jar = `apicurio-registry-app-${artifact.version}-runner.jar`

const install = async (cacheDir, mirror, say) => {
  const folder = join(cacheDir, `apicurio-${artifact.version}`)
  if (existsSync(folder)) return folder
  const { default: download } = await import('mvn-artifact-download')
  const partial = `${folder}.${process.pid}`
  mkdirSync(partial, { recursive: true })
  try {
    say('fetching the schema registry (142 MB)')
    const archive = await download.default(artifact, partial, mirror ?? undefined)
    const found = createHash('sha256').update(readFileSync(archive)).digest('hex')
    if (found !== sha256) throw new Error(`${archive} has SHA-256 ${found}, expected ${sha256}`)
    execFileSync('tar', ['-xzf', archive, '-C', partial])
    rmSync(archive)
    renameSync(partial, folder)
  } finally {
    rmSync(partial, { recursive: true, force: true })
  }
  return folder
}

/** @returns the URL of the Confluent-compatible API */
export const startRegistry = async ({ supervisor, cacheDir, mirror, java, dataDir, signal, say }) => {
  const { awaitReady } = await import('../dist/embedded/await-ready.js')
  const { findFreePorts } = await import('../dist/embedded/free-ports.js')
  const folder = await install(cacheDir, mirror, say)
  const [port] = await findFreePorts(1)
  const options = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
  // Without a rule of its own this registry takes every change for compatible.
  const settings = {
    'quarkus.http.host': '127.0.0.1',
    'quarkus.http.port': port,
    'registry.rules.global.compatibility': 'FULL',
  }
  const server = await supervisor.start({
    name: 'the schema registry',
    command: java,
    args: [
      ...options,
      ...Object.entries(settings).map(([key, value]) => `-D${key}=${value}`),
      '-jar',
      join(folder, jar),
    ],
    cwd: folder,
    logFile: join(dataDir, 'registry.log'),
  })
  const url = `http://127.0.0.1:${port}/apis/ccompat/v7`
  const probe = async () => {
    const answer = await fetch(`${url}/subjects`, { signal: AbortSignal.timeout(1_000) })
    if (!answer.ok) throw new Error(`it answers ${answer.status}`)
  }
  await awaitReady(server, probe, { name: 'the schema registry', timeoutMs: 60_000, signal })
  return url
}
