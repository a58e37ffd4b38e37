/** A Kafka of a test's own that lets clients in by TLS, client certificates and SASL; also plainly. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { readCacheSettings } from '../../src/embedded/cache-settings.ts'
import { fetchJars } from '../../src/embedded/fetch-jars.ts'
import { findFreePorts } from '../../src/embedded/free-ports.ts'
import { findJava } from '../../src/embedded/java.ts'
import { startKafka } from '../../src/embedded/kafka-server.ts'
import { Supervisor } from '../../src/embedded/supervisor.ts'
import { createCertificates, type TestCertificates } from './certificates.ts'

export interface SecuredKafka {
  certificates: TestCertificates
  /** `127.0.0.1:port` of each listener. */
  plain: string
  /** SASL over TLS: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER with unsigned tokens. */
  sasl: string
  /** TLS with client certificates. */
  mutual: string
  user: { username: string; password: string }
  stop: () => Promise<void>
}

const user = { username: 'alice', password: 'planted-kafka-secret' }
const security = 'org.apache.kafka.common.security'

const settings = (folder: string): string[] => {
  const jaas = (mechanism: string, module: string, options = ''): string =>
    `listener.name.sasl.${mechanism}.sasl.jaas.config=${security}.${module} required${options};`
  return [
    'ssl.keystore.type=PEM',
    `ssl.keystore.location=${join(folder, 'keystore.pem')}`,
    'ssl.truststore.type=PEM',
    `ssl.truststore.location=${join(folder, 'ca.pem')}`,
    'listener.name.mutual.ssl.client.auth=required',
    'sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
    jaas('plain', 'plain.PlainLoginModule', ` user_${user.username}="${user.password}"`),
    jaas('scram-sha-256', 'scram.ScramLoginModule'),
    jaas('scram-sha-512', 'scram.ScramLoginModule'),
    jaas('oauthbearer', 'oauthbearer.OAuthBearerLoginModule'),
  ]
}

export const startSecuredKafka = async (): Promise<SecuredKafka> => {
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-secured-'))
  const supervisor = new Supervisor()
  const stop = async (): Promise<void> => {
    await supervisor.close()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const certificates = createCertificates()
    const { server, ca } = certificates
    await mkdir(join(folder, 'kafka'))
    await writeFile(join(folder, 'keystore.pem'), `${server.key}${server.cert}${ca}`, { mode: 0o600 })
    await writeFile(join(folder, 'ca.pem'), ca)
    const { signal } = new AbortController()
    const cache = { ...readCacheSettings(process.env, homedir()), onProgress: () => undefined, signal }
    const { path: java } = await findJava(cache)
    const { kafka: jars } = await fetchJars(['kafka'], cache)
    const [sasl = 0, mutual = 0] = await findFreePorts(2)
    const { brokers } = await startKafka({
      supervisor,
      java,
      jars,
      dataDir: join(folder, 'kafka'),
      signal,
      secured: {
        listeners: [
          { name: 'SASL', protocol: 'SASL_SSL', port: sasl },
          { name: 'MUTUAL', protocol: 'SSL', port: mutual },
        ],
        settings: settings(folder),
        scramUsers: ['256', '512'].map((bits) => `SCRAM-SHA-${bits}=[name=${user.username},password=${user.password}]`),
      },
    })
    const [plain = ''] = brokers
    return { certificates, plain, sasl: `127.0.0.1:${sasl}`, mutual: `127.0.0.1:${mutual}`, user, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
