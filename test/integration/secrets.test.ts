/** Secrets everywhere, servers that repeat what they are shown, and nothing of it in any output. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { test, type TestContext } from 'node:test'
import { inspect } from 'node:util'

import { stringify } from 'yaml'

import type { Config } from '../../src/config/config.ts'
import { Command } from '../support/command.ts'
import { Cluster, codec } from '../support/kafka.ts'
import { sendRequest } from '../support/send-request.ts'
import { deploy, Worker } from '../support/worker.ts'

const plant = (name: string): string => `planted-${name}-${randomBytes(6).toString('hex')}`

const secrets = {
  smtp: plant('smtp'),
  imap: plant('imap'),
  client: plant('client'),
  token: plant('token'),
  s3: plant('s3'),
  registry: plant('registry'),
  kafka: plant('kafka'),
  http: plant('http'),
  key: randomBytes(32).toString('base64'),
  parameter: plant('parameter'),
}

const formsOf = (secret: string): string[] => {
  const base64 = Buffer.from(secret, 'utf8').toString('base64')
  return [secret, encodeURIComponent(secret), base64.replaceAll('=', ''), JSON.stringify(secret).slice(1, -1)]
}

/** Base64 of something with the secret in it looks different at each place: whatever may be base64 is read. */
const readable = (output: string): string =>
  [
    output,
    ...(output.match(/[A-Za-z0-9+/]{16,}={0,2}/g) ?? []).map((part) => Buffer.from(part, 'base64').toString()),
  ].join('\n')

const assertNothingIn = (output: string, where: string): void => {
  const read = readable(output)
  for (const [name, secret] of Object.entries(secrets)) {
    for (const form of formsOf(secret)) assert.ok(!read.includes(form), `${where}: shows the secret ${name}: ${read}`)
  }
}

const decoded = (line: string): string => {
  const payload = line.trim().split(' ').at(-1) ?? ''
  return Buffer.from(payload, 'base64')
    .toString('utf8')
    .replaceAll(/[\0\x01\r\n]/g, ' ')
}

const listen = async (
  t: TestContext,
  onLine: (socket: Socket, line: string) => void,
  greeting: string,
): Promise<number> => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.write(greeting)
    socket.on('data', (chunk) => {
      for (const line of chunk.toString('utf8').split('\r\n').slice(0, -1)) onLine(socket, line)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

/** Refuses every login and says with what it was tried. */
const startSmtp = (t: TestContext, mechanism: string): Promise<number> =>
  listen(
    t,
    (socket, line) => {
      if (line.startsWith('EHLO')) socket.write(`250-hi\r\n250 AUTH ${mechanism}\r\n`)
      else if (line.startsWith('QUIT')) socket.end('221 bye\r\n')
      else socket.write(`535 5.7.8 ${line} (${decoded(line)}) is wrong\r\n`)
    },
    '220 hi\r\n',
  )

const startImap = (t: TestContext, mechanism: string): Promise<number> =>
  listen(
    t,
    (socket, line) => {
      const [tag = '*', command = ''] = line.split(' ')
      if (command === 'AUTHENTICATE')
        socket.write(`${tag} NO [AUTHENTICATIONFAILED] ${line} (${decoded(line)}) is wrong\r\n`)
      else socket.write(`${tag} OK done\r\n`)
    },
    `* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=${mechanism}] hi\r\n`,
  )

const startHttp = async (t: TestContext): Promise<string> => {
  const server = createHttpServer((request, response) => {
    void text(request).then((body) => {
      const isGood = request.url === '/good'
      response.writeHead(isGood ? 200 : 401, { 'content-type': 'application/json' })
      const shown = `${body} ${decodeURIComponent(body)} ${request.headers.authorization} ${decoded(request.headers.authorization ?? '')}`
      const refusal = { error: 'invalid_client', error_description: shown, message: shown }
      response.end(
        JSON.stringify(isGood ? { access_token: secrets.token, token_type: 'Bearer', expires_in: 3600 } : refusal),
      )
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const accountsOn = async (t: TestContext, web: string): Promise<Record<string, object>> => {
  const server = (port: number, auth: object) => ({
    host: '127.0.0.1',
    port,
    security: 'none',
    allowPlaintextAuth: true,
    auth,
  })
  const receive = [{ folder: 'INBOX' }]
  const oauth2 = (path: string) => ({
    provider: 'custom',
    grant: 'client_credentials',
    tokenUrl: `${web}/${path}`,
    clientId: 'id',
    clientSecret: secrets.client,
    scopes: ['mail'],
    tokenParameters: { extra: secrets.parameter },
  })
  const from = { from: 'me@example.com' }
  return {
    password: {
      smtp: { ...server(await startSmtp(t, 'PLAIN'), { user: 'ann', password: secrets.smtp }), ...from },
      imap: server(await startImap(t, 'PLAIN'), { user: 'ann', password: secrets.imap }),
      receive,
    },
    token: {
      smtp: { ...server(await startSmtp(t, 'XOAUTH2'), { user: 'ann', oauth2: oauth2('good') }), ...from },
      imap: server(await startImap(t, 'XOAUTH2'), { user: 'ann', oauth2: oauth2('good') }),
      receive,
    },
    refused: {
      smtp: { ...server(1, { user: 'ann', oauth2: oauth2('bad') }), ...from },
      imap: server(1, { user: 'ann', oauth2: oauth2('bad') }),
      receive,
    },
  }
}

test('no secret is in a log, a table, --json, an error, a result, or the metrics, whatever servers say', async (t) => {
  const web = await startHttp(t)
  const accounts = await accountsOn(t, web)
  const http = { host: '127.0.0.1', port: 0, token: secrets.http }
  const { config, configFile } = await deploy(t, accounts, { http, oauth: { encryptionKey: secrets.key } })
  assertNothingIn(inspectAll(config), 'the configuration, inspected')

  for (const flags of [['--json'], ['--debug']]) {
    const check = new Command(t, ['check', '--config', configFile, ...flags])
    assert.equal(await check.exited, 1)
    assertNothingIn(check.stdout + check.stderr, `check ${flags.join(' ')}`)
    // They were repeated, and hidden.
    assert.match(check.stdout, /is wrong/)
    assert.match(check.stdout, /\[secret\]/)
  }

  const worker = new Worker(t, configFile, ['--debug'])
  const cluster = new Cluster(t, config)
  const { topics } = config.kafka
  const { url } = (await worker.seen(({ event }) => event === 'Listening')) as { url?: string }
  await worker.seen(({ event }) => event === 'Started')
  const ids = Object.keys(accounts)
  for (const account of ids) {
    const value = await codec.encode(
      'SendRequest',
      sendRequest({ id: account, account, text: 'x' }),
      topics.sendRequests,
    )
    await cluster.send([{ topic: topics.sendRequests, key: account, value }])
  }
  for (const account of ids) {
    await worker.seen((line) => line.event === 'FolderTrouble' && line['account'] === account)
    await worker.seen((line) => line.event === 'MailSettled' && line['account'] === account)
  }
  const results = await cluster.takeDecoded('SendResult', topics.sendResults, ids.length)
  assertNothingIn(JSON.stringify(results), 'results')
  const metrics = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${secrets.http}` } })
  assertNothingIn(await metrics.text(), 'metrics')
  assertNothingIn(await (await fetch(`${url}/metrics`)).text(), 'metrics without the token')
  await worker.stop()
  assertNothingIn(JSON.stringify(worker.log), 'the log')
})

test('no secret is in what is said about a configuration that is wrong, or a cluster, store or registry that refuses', async (t) => {
  const web = await startHttp(t)
  const wrong = {
    oauth: { encryptionKey: `${secrets.key}x`, previousKeys: [secrets.registry] },
    http: { host: '0.0.0.0', port: 'x', token: [secrets.http] },
    accounts: {
      a: { smtp: { host: 'h', security: 'tls', auth: { user: 'u', password: { oops: secrets.smtp } } } },
      b: { imap: { host: 'h', security: 'tls', auth: { user: 'u', pasword: secrets.imap } } },
      c: { smtp: { host: 'h', security: 'tls', auth: secrets.smtp } },
      d: {
        smtp: {
          host: 'h',
          security: 'tls',
          auth: { user: 'u', oauth2: { clientSecret: secrets.client, tokenParameters: secrets.parameter } },
        },
      },
    },
  }
  const broken = await deploy(t, {}, {})
  await rewrite(broken.configFile, {
    ...wrong,
    kafka: { brokers: 'x', sasl: secrets.kafka },
    storage: { secretAccessKey: 1, sessionToken: [secrets.s3] },
  })
  for (const flags of [
    ['check', '--json'],
    ['run', '--debug'],
  ]) {
    const command = new Command(t, [...flags, '--config', broken.configFile])
    assert.equal(await command.exited, 2)
    assertNothingIn(command.stdout + command.stderr, `${flags.join(' ')} with a wrong configuration`)
  }

  const { config, configFile } = await deploy(t, {}, {})
  const { brokers } = config.kafka
  await rewrite(configFile, {
    kafka: { brokers, sasl: { mechanism: 'plain', username: 'u', password: secrets.kafka } },
    avro: { encoding: 'confluent', registry: { url: web, username: 'u', password: secrets.registry } },
    storage: { endpoint: web, region: 'us-east-1', bucket: 'mail', accessKeyId: 'a', secretAccessKey: secrets.s3 },
  })
  for (const flags of [
    ['check', '--json', '--debug'],
    ['run', '--debug'],
  ]) {
    const command = new Command(t, [...flags, '--config', configFile])
    assert.notEqual(await command.exited, 0)
    assertNothingIn(command.stdout + command.stderr, `${flags.join(' ')} with servers that refuse`)
  }
})

/** As a crash, a log or a debugger would show it. */
const inspectAll = (config: Config): string =>
  [inspect(config, { depth: null, showHidden: true }), JSON.stringify(config)].join('\n')

const rewrite = (file: string, config: object): Promise<void> => writeFile(file, stringify(config))
