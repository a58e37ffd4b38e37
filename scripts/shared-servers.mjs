// The servers that the suites under test/integration/ share. Run after the bootstrap: it uses dist/.
import { mkdtemp, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { startRegistry } from './start-registry.mjs'

const accessKeyId = 'test'
const secretAccessKey = 'test-secret'
const bucket = 'mail'

/** Resolves with the environment that tells the test processes where the servers are, and how to stop them. */
export const startSharedServers = async () => {
  const { startEmbeddedServers } = await import('../dist/embedded/embedded-servers.js')
  const { readCacheSettings } = await import('../dist/embedded/cache-settings.js')
  const { findJava } = await import('../dist/embedded/java.js')
  const { Supervisor } = await import('../dist/embedded/supervisor.js')
  const { Releasers } = await import('../dist/lifecycle.js')
  const releasers = new Releasers()
  const abort = new AbortController()
  const dataDir = await mkdtemp(join(tmpdir(), 'posthorn-test-'))
  releasers.add(() => rm(dataDir, { recursive: true, force: true }))
  const stop = () => releasers.releaseAll()
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => {
      abort.abort(new Error('interrupted'))
      void stop().finally(() => process.exit(130))
    })
  }
  const say = (text) => process.stderr.write(`test servers: ${text}\n`)
  try {
    const settings = readCacheSettings(process.env, homedir())
    const { path: java } = await findJava({ ...settings, onProgress: say })
    const supervisor = new Supervisor()
    releasers.add(() => supervisor.close())
    const { signal } = abort
    const starting = [
      startEmbeddedServers(releasers, {
        ...settings,
        dataDir,
        bucket,
        accessKeyId,
        secretAccessKey,
        users: null,
        signal,
        onStep: say,
        onFetch: ({ files, totalFiles }) => files % 10 === 0 && say(`${files} of ${totalFiles} files fetched`),
      }),
      startRegistry({ ...settings, supervisor, java, dataDir, signal, say }),
    ]
    await Promise.allSettled(starting)
    const [{ kafka, mail, s3 }, registry] = await Promise.all(starting)
    const servers = {
      brokers: kafka.brokers,
      mail: { host: mail.host, smtpPort: mail.smtpPort, imapPort: mail.imapPort },
      s3: { endpoint: s3.endpoint, bucket, accessKeyId, secretAccessKey },
      registry,
    }
    return { env: { POSTHORN_TEST_SERVERS: JSON.stringify(servers) }, servers, stop }
  } catch (error) {
    await stop().catch(() => undefined)
    throw error
  }
}
