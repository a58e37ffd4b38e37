/** Each kind of TLS trouble, met by each client, at a real TLS server: one code and one sentence for each. */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import type { TlsOptions } from 'node:tls'
import { createSchemaRegistry } from '../src/avro/schema-registry.ts'
import { compileConfig } from '../src/config/compile-config.ts'
import type { ImapConfig, TlsConfig } from '../src/config/config.ts'
import { Secret } from '../src/config/secret.ts'
import { isPosthornError, type PosthornError } from '../src/errors.ts'
import { classifyKafkaError } from '../src/kafka/classify-kafka-error.ts'
import { createKafka } from '../src/kafka/connect.ts'
import { connectMailbox } from '../src/mail/imap-mailbox.ts'
import { createS3AttachmentStore } from '../src/mail/s3-attachment-store.ts'
import { verifySmtp } from '../src/mail/smtp/verify.ts'
import { TokenClient } from '../src/oauth/token-client.ts'
import { networkFailureOf } from '../src/network-failure.ts'
import { createCertificates, type TestCertificates } from './support/certificates.ts'
import { storageConfig } from './support/fake-s3.ts'
import { plainTls, senderOptions } from './support/smtp-mail.ts'
import { startTlsServer } from './support/tls-server.ts'

let certificates: TestCertificates
before(() => {
  certificates = createCertificates()
})

/** What the server does with TLS, and what the client is told. */
interface Case {
  title: string
  server: () => TlsOptions | 'plain'
  client: () => Partial<TlsConfig>
  code: string
}

const cases: Case[] = [
  {
    title: 'a certificate of an authority that is not trusted',
    server: () => certificates.server,
    client: () => ({ ca: certificates.otherCa }),
    code: 'TLS_UNTRUSTED',
  },
  {
    title: 'a certificate that the public authorities have not signed',
    server: () => certificates.server,
    client: () => ({ ca: null }),
    code: 'TLS_UNTRUSTED',
  },
  {
    title: 'a certificate that has expired',
    server: () => certificates.expired,
    client: () => ({}),
    code: 'TLS_EXPIRED',
  },
  {
    title: 'a certificate for another host',
    server: () => certificates.misnamed,
    client: () => ({}),
    code: 'TLS_WRONG_NAME',
  },
  {
    title: 'a server of the time of TLS 1.1',
    server: () => ({
      ...certificates.server,
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    }),
    client: () => ({}),
    code: 'TLS_VERSION_REFUSED',
  },
  {
    title: 'TLS 1.2, where minVersion is 1.3',
    server: () => ({ ...certificates.server, maxVersion: 'TLSv1.2' }),
    client: () => ({ minVersion: 'TLSv1.3' }),
    code: 'TLS_VERSION_REFUSED',
  },
  {
    title: 'TLS 1.3 with a client certificate that is wanted and not given',
    server: () => ({ ...certificates.server, requestCert: true, ca: certificates.ca }),
    client: () => ({}),
    code: 'TLS_CLIENT_REFUSED',
  },
  {
    title: 'TLS 1.2 with a client certificate that is wanted and not given',
    server: () => ({ ...certificates.server, maxVersion: 'TLSv1.2', requestCert: true, ca: certificates.ca }),
    client: () => ({}),
    code: 'TLS_CLIENT_REFUSED',
  },
  { title: 'a port without TLS', server: () => 'plain', client: () => ({}), code: 'TLS_NOT_OFFERED' },
]

/** A client of ours at work on `localhost`; rejects with what it makes of the server. */
type Client = (port: number, tls: TlsConfig) => Promise<unknown>

const imapOptions = (port: number, tls: TlsConfig): ImapConfig => ({
  host: '127.0.0.1',
  port,
  security: 'tls',
  tls,
  auth: { method: 'password', user: 'u', password: new Secret('p') },
  allowPlaintextAuth: false,
  connectTimeoutMs: 5_000,
  connections: 1,
  probeIntervalMs: 60_000,
  commandTimeoutMs: 5_000,
})

const clients: Record<string, { client: Client; greeting: string }> = {
  SMTP: {
    greeting: '220 hi\r\n',
    client: (port, tls) => verifySmtp({ ...senderOptions(port), security: 'tls', tls }),
  },
  IMAP: { greeting: '* OK hi\r\n', client: (port, tls) => connectMailbox(imapOptions(port, tls)) },
  Kafka: {
    greeting: 'HTTP/1.1 400 no\r\n\r\n',
    client: async (port, tls) => {
      const options = { clientId: 'test', patience: 'command', log: () => undefined } as const
      const admin = createKafka({ brokers: [`127.0.0.1:${port}`], tls, sasl: null }, options).admin()
      await admin.connect().catch((error: unknown) => {
        throw classifyKafkaError(error, 'connect')
      })
    },
  },
  'the schema registry': {
    greeting: 'HTTP/1.1 400 no\r\n\r\n',
    client: async (port, tls) => {
      const registry = createSchemaRegistry({ url: `https://127.0.0.1:${port}`, username: null, password: null, tls })
      await registry.countSubjects().finally(() => registry.close())
    },
  },
  'an authorization server': {
    greeting: 'HTTP/1.1 400 no\r\n\r\n',
    client: async (port, tls) => {
      const tokenUrl = `https://127.0.0.1:${port}/token`
      const source = `oauth2: { provider: custom, grant: client_credentials, clientId: c, clientSecret: s, scopes: [x], tokenUrl: '${tokenUrl}' }`
      const text = `kafka: { brokers: ['127.0.0.1:1'], sasl: { mechanism: oauthbearer, ${source} } }`
      const { sasl } = compileConfig(text, { fileName: 'test', env: {}, readFile: () => '' }).kafka
      if (sasl?.mechanism !== 'oauthbearer') throw new Error('it was configured')
      await new TokenClient({ ...sasl.oauth2, tls }, { loginCommand: null, now: Date.now }).issue()
    },
  },
  'the object store': {
    greeting: 'HTTP/1.1 400 no\r\n\r\n',
    client: async (port, tls) => {
      const store = createS3AttachmentStore(storageConfig(`https://127.0.0.1:${port}`, { tls }), { attempts: 1 })
      await store.check().finally(() => store.close())
    },
  },
}

const failureOf = async (attempt: Promise<unknown>): Promise<PosthornError> => {
  try {
    await attempt
  } catch (error) {
    assert.ok(isPosthornError(error), String(error))
    return error
  }
  return assert.fail('it was connected')
}

for (const [name, { client, greeting }] of Object.entries(clients)) {
  describe(`TLS with ${name}`, { concurrency: 6 }, () => {
    for (const { title, server, client: trust, code } of cases) {
      it(`${title} is ${code}`, async (t) => {
        const port = await startTlsServer(t, server(), greeting)
        const error = await failureOf(client(port, { ...plainTls, ca: certificates.ca, ...trust() }))
        assert.equal(error.code, code, `${error.message} ${JSON.stringify(networkFailureOf(error.cause))}`)
        assert.match(error.message, /: (it|its) .* \([A-Z0-9_]+\)$/, 'it says what, and OpenSSL’s word for it')
        assert.ok(error.action)
      })
    }
  })
}
