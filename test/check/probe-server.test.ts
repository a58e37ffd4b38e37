import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { TLSSocket } from 'node:tls'
import { runChecks } from '../../src/check/run-checks.ts'
import { takeNetworkSteps } from '../../src/check/check-network.ts'
import type { StartTlsProtocol } from '../../src/check/probe-server.ts'
import type { Security, TlsConfig } from '../../src/config/config.ts'

let folder = ''
let pem = { key: '', cert: '' }

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'posthorn-cert-'))
  const argv = 'req -x509 -newkey rsa:2048 -nodes -days 30 -subj /O=Test-CA/CN=localhost -keyout key.pem -out cert.pem'
  const names = ['-addext', 'subjectAltName=DNS:localhost']
  execFileSync('openssl', [...argv.split(' '), ...names], { cwd: folder, stdio: 'ignore' })
  pem = { key: readFileSync(join(folder, 'key.pem'), 'utf8'), cert: readFileSync(join(folder, 'cert.pem'), 'utf8') }
})
after(() => rmSync(folder, { recursive: true }))

const serve = async (t: TestContext, onSocket: (socket: Socket) => void): Promise<number> => {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    onSocket(socket)
  }).listen(0)
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

const encrypt = (socket: Socket): void => {
  const secure = new TLSSocket(socket, { isServer: true, ...pem })
  secure.on('error', () => undefined)
}

/** Sends the greeting, then answers line by line; `TLS` begins the handshake. */
const dialogue =
  (greeting: string, answer: (line: string) => string) =>
  (socket: Socket): void => {
    socket.write(greeting)
    const onData = (bytes: Buffer): void => {
      for (const line of bytes.toString().split('\r\n').filter(Boolean)) {
        const reply = answer(line)
        if (reply.endsWith('TLS')) {
          socket.off('data', onData)
          socket.write(reply.slice(0, -'TLS'.length))
          encrypt(socket)
        } else socket.write(reply)
      }
    }
    socket.on('data', onData)
  }

interface Probe {
  port: number
  host?: string
  security?: Security
  protocol?: StartTlsProtocol
  tls?: Partial<TlsConfig>
  timeoutMs?: number
}

const probe = async ({
  port,
  host = 'localhost',
  security = 'tls',
  protocol = 'smtp',
  tls,
  timeoutMs = 5_000,
}: Probe) => {
  const trust: TlsConfig = {
    ca: pem.cert,
    certificate: null,
    key: null,
    serverName: null,
    minVersion: 'TLSv1.2',
    ...tls,
  }
  const results = await runChecks(
    [
      {
        component: protocol,
        account: 'a',
        run: (takeStep) => takeNetworkSteps({ host, port, security, tls: trust }, protocol, takeStep, Date.now),
      },
    ],
    { timeoutMs, concurrency: 1, signal: new AbortController().signal, now: Date.now },
  )
  const last = results.at(-1)
  assert.ok(last)
  return { steps: results.map(({ step, ok }) => `${step} ${ok ? 'ok' : 'failed'}`), last }
}

const smtpServer = dialogue('220-hello\r\n220 there\r\n', (line) =>
  line === 'STARTTLS' ? '220 go\r\nTLS' : '250-host\r\n250 STARTTLS\r\n',
)
const imapServer = dialogue('* OK hello\r\n', (line) => `${line.split(' ')[0]} OK go\r\nTLS`)

describe('takeNetworkSteps', () => {
  it('tells who signed the certificate and until when it is valid', async (t) => {
    const { steps, last } = await probe({ port: await serve(t, encrypt) })
    assert.deepEqual(steps, ['dns ok', 'tcp ok', 'tls ok'])
    assert.match(
      last.message,
      /^TLSv1\.3, TLS_AES_256_GCM_SHA384, signed by Test-CA, localhost, valid until \d{4}-\d\d-\d\d \((29|30) days\)$/,
    )
  })

  it('asks SMTP and IMAP servers for TLS in their own ways', async (t) => {
    const smtp = await probe({ port: await serve(t, smtpServer), security: 'starttls' })
    assert.match(smtp.last.message, /^TLSv1\.3 after STARTTLS/)
    const imap = await probe({ port: await serve(t, imapServer), security: 'starttls', protocol: 'imap' })
    assert.match(imap.last.message, /^TLSv1\.3 after STARTTLS/)
  })

  it('takes a PREAUTH greeting for no way to TLS', async (t) => {
    const preauth = dialogue('* PREAUTH hello\r\n', (line) => `${line.split(' ')[0]} OK go\r\nTLS`)
    const { last } = await probe({ port: await serve(t, preauth), security: 'starttls', protocol: 'imap' })
    assert.equal(last.code, 'TLS_NOT_OFFERED')
  })

  it('takes no step for an encryption that is not configured', async (t) => {
    const { steps } = await probe({ port: await serve(t, () => undefined), security: 'none' })
    assert.deepEqual(steps, ['dns ok', 'tcp ok'])
  })

  it('tells a server that nobody trusts from one that has another name', async (t) => {
    const untrusted = await probe({ port: await serve(t, encrypt), tls: { ca: null } })
    assert.equal(untrusted.last.code, 'TLS_UNTRUSTED')
    assert.match(untrusted.last.action ?? '', /caFile/)
    const renamed = await probe({
      port: await serve(t, encrypt),
      tls: { serverName: 'mail.example.com' },
      protocol: 'imap',
    })
    assert.equal(renamed.last.code, 'TLS_WRONG_NAME')
    assert.match(renamed.last.message, /made for another name/)
  })

  it('says that a server without TLS on this port has none', async (t) => {
    const { last } = await probe({ port: await serve(t, (socket) => socket.write('220 plain here\r\n')) })
    assert.match(last.message, /does not answer with TLS/)
    assert.match(last.action ?? '', /starttls/)
  })

  it('quotes the answer of a server that refuses STARTTLS', async (t) => {
    const refusing = dialogue('220 hi\r\n', (line) => (line === 'STARTTLS' ? '454 not now\r\n' : '250 ok\r\n'))
    const { last } = await probe({ port: await serve(t, refusing), security: 'starttls' })
    assert.match(last.message, /STARTTLS was answered with "454 not now"/)
  })

  it('says that nothing listens, or that there is no such host', async (t) => {
    const port = await serve(t, () => undefined)
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const free = (server.address() as AddressInfo).port
    server.close()
    await once(server, 'close')
    const closed = await probe({ port: free, host: '127.0.0.1' })
    assert.deepEqual(closed.steps, ['dns ok', 'tcp failed'])
    assert.match(closed.last.message, /127\.0\.0\.1:\d+: nothing listens there/)
    const nowhere = await probe({ port, host: 'no-such-host.invalid', protocol: 'imap' })
    assert.deepEqual(nowhere.steps, ['dns failed'])
    assert.equal(nowhere.last.code, 'IMAP_UNREACHABLE')
  })

  it('ends in time when the server says nothing at all', async (t) => {
    const { steps, last } = await probe({
      port: await serve(t, () => undefined),
      security: 'starttls',
      timeoutMs: 2_000,
    })
    assert.deepEqual(steps, ['dns ok', 'tcp ok', 'tls failed'])
    assert.equal(last.code, 'SMTP_TIMEOUT')
  })

  it('says so when the server hangs up', async (t) => {
    const { last } = await probe({ port: await serve(t, (socket) => socket.end()), security: 'starttls' })
    assert.match(last.message, /closed the connection/)
  })
})
