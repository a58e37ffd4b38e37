/** Several workers, one login: who refreshes, and what becomes of it. Each worker is what `run` makes, on a real topic. */
import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { test, type TestContext } from 'node:test'

import { stringify } from 'yaml'

import { compileConfig } from '../../src/config/compile-config.ts'
import type { Config } from '../../src/config/config.ts'
import type { PosthornEvent } from '../../src/events.ts'
import { createKafka } from '../../src/kafka/connect.ts'
import { createRecordProducer } from '../../src/kafka/record-producer.ts'
import { planTopics } from '../../src/kafka/topic-plan.ts'
import { TopicReader } from '../../src/kafka/topic-reader.ts'
import { ensureTopics } from '../../src/kafka/topics.ts'
import type { AccountTokens, OAuth2Login } from '../../src/mail/access-tokens.ts'
import { OAuthTokens, openTokenTopic, type OAuthTokensOptions } from '../../src/oauth/oauth-tokens.ts'
import { TokenClient } from '../../src/oauth/token-client.ts'
import { startAuthorizationServer, type AuthorizationServer } from '../support/authorization-server.ts'
import { testServers, uniqueName } from '../support/servers.ts'

const newKey = (): string => randomBytes(32).toString('base64')

interface TestWorker {
  tokens: AccountTokens
  events: PosthornEvent[]
}

class Installation {
  readonly #t: TestContext
  readonly #text: (oauth: object) => string
  readonly provider: AuthorizationServer

  private constructor(t: TestContext, provider: AuthorizationServer, text: (oauth: object) => string) {
    this.#t = t
    this.provider = provider
    this.#text = text
  }

  static async create(t: TestContext): Promise<Installation> {
    const provider = await startAuthorizationServer(t)
    const { brokers } = await testServers()
    const topic = uniqueName('tokens')
    const imap = { host: 'h', security: 'tls', auth: { user: 'ann', oauth2: provider.oauth2 } }
    return new Installation(t, provider, (oauth) =>
      stringify({
        kafka: { brokers, topics: { oauthTokens: topic, replication: 1 } },
        oauth,
        accounts: { main: { imap } },
      }),
    )
  }

  configure(oauth: object): Config {
    return compileConfig(this.#text(oauth), { fileName: 'test', env: {}, readFile: () => '' })
  }

  options(config: Config, events: PosthornEvent[] = []): OAuthTokensOptions {
    const kafka = createKafka(config.kafka, { clientId: 'test', patience: 'worker', log: () => undefined })
    const { oauthTokens: topic } = config.kafka.topics
    return {
      config,
      openRecords: () => ({
        read: () => TopicReader.open({ kafka, topic, groupPrefix: 'test', from: 'beginning', untilEnd: false }),
        producer: createRecordProducer(kafka),
      }),
      patience: 'worker',
      emit: (event) => events.push(event),
      now: Date.now,
      random: Math.random,
    }
  }

  worker(config: Config): TestWorker {
    const events: PosthornEvent[] = []
    const tokens = new OAuthTokens(this.options(config, events))
    this.#t.after(() => tokens.close())
    return { tokens: tokens.of('main', authOf(config)), events }
  }

  /** As `posthorn oauth login` does. */
  async logIn(config: Config): Promise<void> {
    const kafka = createKafka(config.kafka, { clientId: 'test', patience: 'worker', log: () => undefined })
    const admin = kafka.admin()
    await admin.connect()
    await ensureTopics(
      admin,
      planTopics(config).filter(({ role }) => role === 'oauthTokens'),
    )
    await admin.disconnect()
    const { oauth2 } = authOf(config)
    const client = new TokenClient(oauth2, { loginCommand: null, now: Date.now })
    const request = await client.beginLogin('http://127.0.0.1:1/callback', 'ann')
    const answer = new URL(await this.provider.logIn(request.url)).searchParams
    const { refreshToken, ...fresh } = await client.finishLogin(request, answer)
    assert.ok(refreshToken)
    const topic = openTokenTopic(this.options(config))
    const now = Date.now()
    const grant = { grantId: randomUUID(), loggedInAt: now, refreshedAt: now, clientId: oauth2.clientId }
    await topic.append({ account: 'main', owner: oauth2.owner }, { kind: 'tokens', ...grant, ...fresh, refreshToken })
    await topic.close()
  }
}

const authOf = (config: Config): OAuth2Login => {
  const auth = config.accounts['main']?.imap?.auth
  assert.equal(auth?.method, 'oauth2')
  return auth
}

const codeOf = ({ status, ...rest }: PromiseSettledResult<string>): unknown =>
  status === 'rejected' ? (rest as { reason: { code: string } }).reason.code : 'a token'

test('of workers that refresh at once one asks the provider and all get its token; a grant that is gone pauses them all', async (t) => {
  const installation = await Installation.create(t)
  const { provider } = installation
  const config = installation.configure({ encryptionKey: newKey() })
  await installation.logIn(config)
  const workers = [0, 1, 2].map(() => installation.worker(config))
  const getAll = () => Promise.all(workers.map(({ tokens }) => tokens.get()))
  let [token] = await getAll()
  for (let round = 1; round <= 3; round += 1) {
    provider.expireAccessTokens()
    for (const { tokens } of workers) tokens.invalidate(token ?? '')
    const renewed = await getAll()
    assert.equal(new Set(renewed).size, 1)
    assert.notEqual(renewed[0], token)
    assert.equal(provider.granted.get('refresh_token'), round)
    token = renewed[0]
  }
  assert.deepEqual(provider.refused, [])

  provider.revokeAll()
  for (const { tokens } of workers) tokens.invalidate(token ?? '')
  const refused = await Promise.allSettled(workers.map(({ tokens }) => tokens.get()))
  assert.deepEqual(
    refused.map(codeOf),
    workers.map(() => 'OAUTH_LOGIN_REQUIRED'),
  )
  assert.deepEqual(provider.refused, ['invalid_grant'])
  const resumed = Promise.all(workers.map(({ tokens }) => tokens.whenResumed(new AbortController().signal)))
  await installation.logIn(config)
  await resumed
  assert.equal(new Set(await getAll()).size, 1)
  for (const { events } of workers) {
    assert.deepEqual(
      events.map(({ type }) => type),
      ['AccountPaused', 'AccountResumed'],
    )
  }
})

test('tokens are read with a previous key, and not without their key', async (t) => {
  const installation = await Installation.create(t)
  const [first, second] = [newKey(), newKey()]
  await installation.logIn(installation.configure({ encryptionKey: first }))
  const rotated = installation.worker(installation.configure({ encryptionKey: second, previousKeys: [first] }))
  const token = await rotated.tokens.get()
  const stranger = installation.worker(installation.configure({ encryptionKey: second }))
  await assert.rejects(stranger.tokens.get(), { code: 'OAUTH_LOGIN_REQUIRED', message: /encrypted with a key/ })
  // What is stored from now on is under the new key.
  rotated.tokens.invalidate(token)
  const renewed = await rotated.tokens.get()
  await stranger.tokens.whenResumed(new AbortController().signal)
  assert.equal(await stranger.tokens.get(), renewed)
})
