import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test, type TestContext } from 'node:test'

import {
  startAuthorizationServer,
  type AuthorizationServer,
  type AuthorizationServerOptions,
} from '../support/authorization-server.ts'
import { Command } from '../support/command.ts'
import { startOAuthMailServer, type OAuthMailServer } from '../support/oauth-mail-server.ts'
import { Cluster, codec } from '../support/kafka.ts'
import { sendRequest } from '../support/send-request.ts'
import { deploy, Worker, type Deployment } from '../support/worker.ts'

const account = 'main'

interface Setting extends OAuthMailServer, Deployment {
  provider: AuthorizationServer
  user: string
}

/** One account that logs in to IMAP and SMTP with the tokens of one person. */
const start = async (t: TestContext, options: AuthorizationServerOptions = {}): Promise<Setting> => {
  const provider = await startAuthorizationServer(t, options)
  const server = await startOAuthMailServer(t, provider.introspectionUrl)
  const { user } = server.dovecot.newUser()
  const connection = { host: '127.0.0.1', security: 'starttls', caFile: 'ca.pem' }
  const auth = { user, oauth2: provider.oauth2 }
  const deployment = await deploy(
    t,
    {
      [account]: {
        smtp: { ...connection, port: server.submissionPort, auth, from: 'me@example.com' },
        imap: { ...connection, port: server.dovecot.imapPort, auth: 'same-as-smtp' },
        receive: [{ folder: 'INBOX', start: 'earliest' }],
      },
    },
    { oauth: { encryptionKey: randomBytes(32).toString('base64') }, send: { retry: { tiers: ['1s', '5s'] } } },
    { 'ca.pem': server.dovecot.certificates.ca },
  )
  return { ...deployment, ...server, provider, user }
}

const logIn = async (t: TestContext, { configFile, provider }: Setting): Promise<void> => {
  const command = new Command(t, ['oauth', 'login', account, '--config', configFile])
  const answer = await provider.logIn(await command.prints(/^(http\S+)$/m))
  assert.match(await (await fetch(answer)).text(), /^Logged in/)
  assert.equal(await command.exited, 0, command.stderr)
}

const letter = (subject: string): string => `Subject: ${subject}\r\n\r\n${subject}\r\n`

const request = async (id: string): Promise<Buffer> =>
  codec.encode('SendRequest', sendRequest({ id, account, text: id }), 'requests')

test('a person logs in once, and IMAP and SMTP take the tokens, also after they have expired', async (t) => {
  const setting = await start(t)
  const { provider, dovecot, config, user } = setting
  const { topics } = config.kafka
  await logIn(t, setting)
  const check = new Command(t, ['check', '--json', '--config', setting.configFile])
  assert.equal(await check.exited, 0, check.stdout)
  const { checks } = JSON.parse(check.stdout) as { checks: { step: string; message: string }[] }
  const logins = checks.filter(({ step }) => step === 'login').map(({ message }) => message.split(';')[0] ?? '')
  assert.equal(logins.length, 2)
  for (const login of logins) assert.match(login, new RegExp(`^logged in as ${user} by .*(XOAUTH2|OAUTHBEARER)`))

  const worker = new Worker(t, setting.configFile)
  const cluster = new Cluster(t, config)
  const send = async (id: string) => cluster.send([{ topic: topics.sendRequests, key: id, value: await request(id) }])
  await worker.seen(({ event }) => event === 'FolderOpened')
  await dovecot.deliver({ user }, [letter('first')])
  await send('first')
  await cluster.take(topics.inbound, 1)
  await cluster.take(topics.sendResults, 1)
  assert.deepEqual(provider.granted, new Map([['authorization_code', 1]]))

  // In the middle of IDLE, and with an SMTP connection that is kept for the next mail: both end, and the token that they
  // had is refused.
  provider.expireAccessTokens()
  await dovecot.kick({ user })
  await dovecot.deliver({ user }, [letter('second')])
  await send('second')
  const messages = await cluster.takeDecoded('InboundMessage', topics.inbound, 2)
  assert.deepEqual(messages.map(({ subject }) => subject).sort(), ['first', 'second'])
  const results = await cluster.takeDecoded('SendResult', topics.sendResults, 2)
  assert.deepEqual(
    results.map(({ id, status, attempt }) => ({ id, status, attempt })).sort((a, b) => a.id.localeCompare(b.id)),
    ['first', 'second'].map((id) => ({ id, status: 'DELIVERED', attempt: 1 })),
  )
  assert.equal(provider.granted.get('refresh_token'), 1)
  assert.equal(await worker.stop(), 0)
})

test('a rotated refresh token outlives a killed worker; a lost one pauses the account until a person logs in', async (t) => {
  const setting = await start(t)
  const { provider, dovecot, config, configFile, user } = setting
  const { topics } = config.kafka
  await logIn(t, setting)
  const cluster = new Cluster(t, config)
  const refreshes = () => provider.granted.get('refresh_token') ?? 0
  const received = async (count: number) => {
    const messages = await cluster.takeDecoded('InboundMessage', topics.inbound, count)
    return messages.map(({ subject }) => subject).sort()
  }
  for (const name of ['a', 'b']) {
    // Each begins with the refresh token that the one before had stored, whose predecessor is worthless.
    provider.expireAccessTokens()
    await dovecot.deliver({ user }, [letter(name)])
    const worker = new Worker(t, configFile)
    await worker.seen(({ event, published }) => event === 'FolderSynced' && published === 1)
    await worker.kill()
  }
  assert.equal(refreshes(), 2)
  assert.deepEqual(provider.refused, [])

  // Killed when the provider has rotated the token and before the answer is there: nobody has the new one.
  provider.expireAccessTokens()
  const { arrived, open } = provider.holdTokens()
  const unlucky = new Worker(t, configFile)
  await arrived
  await unlucky.kill()
  open()
  await dovecot.deliver({ user }, [letter('c')])
  const worker = new Worker(t, configFile)
  const paused = await worker.seen(({ event }) => event === 'AccountPaused')
  assert.equal(paused['code'], 'OAUTH_LOGIN_REQUIRED')
  assert.equal(paused['action'], `Log in again: posthorn oauth login ${account}`)
  await cluster.send([{ topic: topics.sendRequests, key: null, value: await request('waiting') }])
  // Given to a retry topic, without a result.
  await cluster.take(config.send.retry.tiers[0]?.topic ?? '', 1)
  assert.deepEqual(await cluster.readAll(topics.sendResults), [])

  await logIn(t, setting)
  await worker.seen(({ event }) => event === 'AccountResumed')
  assert.deepEqual(await received(3), ['a', 'b', 'c'])
  const [result] = await cluster.takeDecoded('SendResult', topics.sendResults, 1)
  assert.deepEqual([result?.status, result?.attempt], ['DELIVERED', 1])
  assert.equal(await worker.stop(), 0)
})
