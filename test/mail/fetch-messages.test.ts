/** Fetching messages from servers that break off, or say something else, in the middle of their answers. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { Secret } from '../../src/config/secret.ts'
import { connectMailbox } from '../../src/mail/imap-mailbox.ts'
import type { Mailbox } from '../../src/mail/mailbox.ts'

/** @param fetch answers a UID FETCH, the nth of its connection */
const open = async (t: TestContext, fetch: (socket: Socket, tag: string, nth: number) => void): Promise<Mailbox> => {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    let input = ''
    let fetches = 0
    socket.on('error', () => undefined)
    socket.write('* OK [CAPABILITY IMAP4rev1] ready\r\n')
    socket.on('data', (bytes: Buffer) => {
      input += bytes.toString('latin1')
      for (let end = input.indexOf('\r\n'); end >= 0; end = input.indexOf('\r\n')) {
        const [tag = '', verb = '', next = ''] = input.slice(0, end).split(' ')
        input = input.slice(end + 2)
        if (verb === 'UID' && next === 'FETCH') {
          fetches += 1
          fetch(socket, tag, fetches)
          continue
        }
        if (verb === 'EXAMINE') socket.write('* 9 EXISTS\r\n* OK [UIDVALIDITY 5] ok\r\n* OK [UIDNEXT 10] ok\r\n')
        if (verb === 'UID') socket.write('* SEARCH\r\n')
        socket.write(`${tag} OK done\r\n`)
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const mailbox = await connectMailbox({
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    security: 'none',
    tls: { ca: null, certificate: null, key: null, serverName: null, minVersion: 'TLSv1.2' },
    auth: { method: 'password', user: 'u', password: new Secret('p') },
    allowPlaintextAuth: true,
    connectTimeoutMs: 5_000,
    commandTimeoutMs: 5_000,
    probeIntervalMs: 60_000,
  })
  t.after(async () => {
    await mailbox.close()
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  await mailbox.open('INBOX', { readOnly: true })
  return mailbox
}

const message = (uid: number, content: string): string =>
  `* ${uid} FETCH (UID ${uid} BODY[] {${content.length}}\r\n${content})\r\n`

const read = async (mailbox: Mailbox, uids: readonly number[], into: Map<number, string>): Promise<void> => {
  for await (const { uid, raw } of mailbox.fetchRaw(uids)) into.set(uid, raw.toString('latin1'))
}

for (const end of ['half a message', '* BYE going down\r\n']) {
  test(`a connection that ends while messages come (${JSON.stringify(end)} follows) is lost; what came before is there`, async (t) => {
    const mailbox = await open(t, (socket) => {
      const cut = end === 'half a message' ? message(2, 'x'.repeat(500)).slice(0, 100) : end
      socket.end(`${message(1, 'first')}${cut}`)
    })
    const found = new Map<number, string>()
    await assert.rejects(read(mailbox, [1, 2], found), { code: 'IMAP_CONNECTION_LOST', retryable: true })
    assert.deepEqual([...found], [[1, 'first']])
  })
}

test('a refusal after some of the messages is told after them', async (t) => {
  const mailbox = await open(t, (socket, tag) => {
    socket.write(`${message(1, 'first')}* 3 EXPUNGE\r\n* 8 EXISTS\r\n${tag} NO some could not be read\r\n`)
  })
  const found = new Map<number, string>()
  await assert.rejects(read(mailbox, [1, 2], found), { code: 'IMAP_COMMAND_FAILED' })
  assert.deepEqual([...found], [[1, 'first']])
})

test('quoted, empty, literal8 and partial answers, one twice and one unasked, come as they are', async (t) => {
  const mailbox = await open(t, (socket, tag, nth) => {
    if (nth > 1) return socket.write(`${tag} OK done\r\n`)
    for (const byte of Buffer.from(
      [
        '* 1 FETCH (UID 1 BODY[] "quoted")\r\n',
        '* 2 FETCH (UID 2 BODY[] NIL)\r\n',
        '* 3 FETCH (UID 3 BODY[] ~{3}\r\n{1})\r\n',
        '* 1 EXPUNGE\r\n',
        '* 4 FETCH (FLAGS (\\Seen) BODY[] {4}\r\n)\r\n  UID 4)\r\n',
        '* 4 FETCH (UID 4 BODY[] {4}\r\nanew)\r\n',
        '* 7 FETCH (UID 7 BODY[] {1}\r\n7)\r\n',
        '* 5 FETCH (BODY[] {0}\r\n UID 5)\r\n',
        `${tag} OK done\r\n`,
      ].join(''),
      'latin1',
    ))
      socket.write(Buffer.from([byte]))
    return true
  })
  const found = new Map<number, string>()
  await read(mailbox, [1, 2, 3, 4, 5], found)
  assert.deepEqual(
    [...found].sort(([a], [b]) => a - b),
    [
      [1, 'quoted'],
      [3, '{1}'],
      [4, ')\r\n '],
      [5, ''],
    ],
  )
})

test('what nobody reads to its end does not mix with what is asked for next, nor with another folder', async (t) => {
  const mailbox = await open(t, (socket, tag, nth) => {
    const all = [1, 2, 3].map((uid) => message(uid, `${nth}/${uid}`)).join('')
    socket.write(all.slice(0, 60))
    setImmediate(() => socket.write(`${all.slice(60)}${tag} OK done\r\n`))
  })
  for await (const { raw } of mailbox.fetchRaw([1, 2, 3])) {
    assert.equal(raw.toString(), '1/1')
    break
  }
  const opening = mailbox.open('INBOX', { readOnly: true })
  const found = new Map<number, string>()
  await Promise.all([opening, read(mailbox, [1, 2, 3], found)])
  assert.deepEqual([...found.values()], ['2/1', '2/2', '2/3'])
})
