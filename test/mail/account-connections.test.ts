import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net'
import { test } from 'node:test'
import type { AccountConfig, ImapConfig } from '../../src/config/config.ts'
import { createAccountConnections } from '../../src/mail/account-connections.ts'

const imap: ImapConfig = {
  host: '127.0.0.1',
  port: 0,
  security: 'none',
  tls: { ca: null, certificate: null, key: null, serverName: null, minVersion: 'TLSv1.2' },
  auth: null,
  allowPlaintextAuth: false,
  connections: 1,
  connectTimeoutMs: 30_000,
  commandTimeoutMs: 30_000,
  probeIntervalMs: 60_000,
}

test('a hundred mailboxes connect to one server 32 at a time, and each has its turn', async (t) => {
  const count = 100
  const came: Socket[] = []
  let waiting: Socket[] | null = []
  const answer = (socket: Socket) => socket.end('* BYE busy\r\n')
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    came.push(socket)
    socket.once('data', () => server.emit('probed'))
    if (waiting === null) answer(socket)
    else waiting.push(socket)
    if (came.length === 32) server.emit('full')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of came) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const connections = createAccountConnections(() => {
    throw new Error('no tokens')
  })
  const account = { name: 'a', imap: { ...imap, port } } as AccountConfig
  const attempts = Array.from({ length: count }, () => connections.openMailbox(account))
  const settled = Promise.allSettled(attempts)
  await once(server, 'full')

  // Whatever else had been begun by now would be accepted before this one.
  const probe = createConnection({ host: '127.0.0.1', port })
  probe.write('probe')
  await once(server, 'probed')
  assert.equal(came.length, 33)
  probe.destroy()

  for (const socket of waiting.splice(0)) answer(socket)
  waiting = null
  assert.ok((await settled).every(({ status }) => status === 'rejected'))
  assert.equal(came.length, count + 1)
})
