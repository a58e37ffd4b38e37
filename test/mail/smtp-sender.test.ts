/* oxlint-disable max-lines -- one table of connections and their troubles, read together */
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { describe, mock, test, type TestContext } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'

import { Secret } from '../../src/config/secret.ts'
import type { DeliveryOutcome } from '../../src/mail/smtp-outcome.ts'
import { SmtpSender, type SmtpSenderDependencies, type SmtpSenderOptions } from '../../src/mail/smtp-sender.ts'
import { mailTo, senderDependencies, senderOptions, shortContent } from '../support/smtp-mail.ts'
import { startScriptServer, usualExtensions, type Script, type ScriptServer } from '../support/smtp-script-server.ts'

const start = async (
  t: TestContext,
  script: Script,
  options: Partial<SmtpSenderOptions> = {},
  deps: Partial<SmtpSenderDependencies> = {},
  extensions: string[] = usualExtensions,
): Promise<{ sender: SmtpSender; server: ScriptServer }> => {
  const server = await startScriptServer(t, { script, extensions })
  const sender = new SmtpSender(senderOptions(server.port, options), senderDependencies(deps))
  t.after(() => sender.close({ graceMs: 0 }))
  return { sender, server }
}

const usual: Script = () => undefined

const refuseFirst: Script = ({ step, line }) =>
  step === 'RCPT' && line.includes('u0@') ? { reply: '550 5.1.1 no' } : undefined

async function* brokenContent(): AsyncGenerator<Buffer> {
  yield Buffer.from(shortContent)
  throw new Error('the store is gone')
}

const sendMany = (sender: SmtpSender, count: number): Promise<DeliveryOutcome[]> =>
  Promise.all(Array.from({ length: count }, (_, at) => sender.send(mailTo({ to: [`u${at}@example.com`] }))))

/** A mail whose content comes when it is told to. */
const gatedMail = (): { mail: ReturnType<typeof mailTo>; open: () => void } => {
  const gate = new EventEmitter()
  const opened = once(gate, 'open')
  async function* content(): AsyncGenerator<Buffer> {
    await opened
    yield Buffer.from(shortContent)
  }
  return { mail: mailTo({ content }), open: () => gate.emit('open') }
}

const forEver = { firstMs: 3_600_000, maxMs: 3_600_000 }

const kinds = (outcomes: DeliveryOutcome[]): string[] => [...new Set(outcomes.map(({ kind }) => kind))]

/** A port that nothing listens on. */
const deadPort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

void describe('connections', { concurrency: 4 }, () => {
  void test('nothing is connected before the first mail', async (t) => {
    const { server } = await start(t, usual)
    await turn()
    assert.equal(server.connections, 0)
  })

  void test('many mails share one connection and arrive as they were', async (t) => {
    const { sender, server } = await start(t, usual)
    assert.deepEqual(kinds(await sendMany(sender, 50)), ['delivered'])
    assert.equal(server.connections, 1)
    assert.deepEqual(
      server.mails.map(({ rcpt }) => rcpt[0]),
      Array.from({ length: 50 }, (_, at) => `RCPT TO:<u${at}@example.com>`),
    )
    assert.deepEqual([...new Set(server.mails.map(({ content }) => content))], [shortContent])
  })

  void test('no more connections than configured are opened, and no more than are needed', async (t) => {
    const { sender, server } = await start(t, usual, { connections: 3 })
    await sender.send(mailTo())
    assert.equal(server.connections, 1)
    await sendMany(sender, 40)
    assert.equal(server.connections, 3)
  })

  void test('a connection carries no more mails than configured', async (t) => {
    const { sender, server } = await start(t, usual, { messagesPerConnection: 4 })
    assert.deepEqual(kinds(await sendMany(sender, 10)), ['delivered'])
    assert.equal(server.connections, 3)
    await server.reached('QUIT', 2)
    const perConnection = [1, 2, 3].map((each) => server.mails.filter(({ connection }) => connection === each).length)
    assert.deepEqual(perConnection, [4, 4, 2])
  })

  void test('an idle connection is closed with QUIT after its time', async (t) => {
    const { sender, server } = await start(t, usual, {}, { idleMs: 20 })
    await sender.send(mailTo())
    await server.reached('QUIT')
    assert.deepEqual(kinds([await sender.send(mailTo())]), ['delivered'])
    assert.equal(server.connections, 2)
  })

  void test('with PIPELINING the envelope and DATA travel in one piece', async (t) => {
    const { sender, server } = await start(t, usual)
    await sender.send(mailTo({ to: ['b@example.com', 'c@example.com'] }))
    const envelope =
      'MAIL FROM:<a@example.com> SIZE=100\r\nRCPT TO:<b@example.com>\r\nRCPT TO:<c@example.com>\r\nDATA\r\n'
    assert.ok(server.chunks[0]?.includes(envelope))
  })

  void test('with PIPELINING the next envelope travels with the end of this data', async (t) => {
    const { sender, server } = await start(t, usual)
    await sendMany(sender, 3)
    assert.ok(server.chunks.flat().some((chunk) => /\r\n\.\r\nMAIL FROM:.*\r\nDATA\r\n$/s.test(chunk)))
  })

  void test('without PIPELINING every command waits for its reply', async (t) => {
    const { sender, server } = await start(t, usual, {}, {}, ['8BITMIME'])
    assert.deepEqual(kinds(await sendMany(sender, 5)), ['delivered'])
    const commands = server.chunks.flat().filter((chunk) => /^(MAIL|RCPT|DATA)/.test(chunk))
    assert.equal(commands.length, 15)
    assert.ok(commands.every((chunk) => chunk.split('\r\n').length === 2))
  })

  void test('a transaction that was given up is reset before the next one', async (t) => {
    for (const extensions of [usualExtensions, ['8BITMIME']]) {
      const { sender, server } = await start(t, refuseFirst, {}, {}, extensions)
      const outcomes = await sendMany(sender, 3)
      assert.deepEqual(
        outcomes.map(({ kind }) => kind),
        ['reject', 'delivered', 'delivered'],
      )
      assert.equal(server.count('RSET'), 1)
      assert.equal(server.connections, 1)
    }
  })
})

void describe('connections that go', { concurrency: 4 }, () => {
  void test('an idle connection that the server closed is replaced without anybody noticing', async (t) => {
    const { sender, server } = await start(t, ({ step, nth, connection }) =>
      step === 'MAIL' && nth === 2 && connection === 1 ? { drop: true } : undefined,
    )
    assert.deepEqual(kinds([await sender.send(mailTo()), await sender.send(mailTo())]), ['delivered'])
    assert.equal(server.connections, 2)
    assert.equal(server.mails.length, 2)
  })

  void test('the mail behind one that was lost after its dot is sent over another connection, once', async (t) => {
    const { sender, server } = await start(t, ({ step, nth, connection }) =>
      step === 'END' && nth === 3 && connection === 1 ? { drop: true } : undefined,
    )
    const outcomes = await sendMany(sender, 6)
    assert.deepEqual(
      outcomes.map(({ kind }) => kind),
      ['delivered', 'delivered', 'indeterminate', 'delivered', 'delivered', 'delivered'],
    )
    assert.equal(server.mails.length, 5)
  })

  void test('421 to a mail ends the connection; the others go over a new one', async (t) => {
    const { sender, server } = await start(t, ({ step, nth, connection }) =>
      step === 'END' && nth === 2 && connection === 1 ? { reply: '421 4.3.2 bye', thenDrop: true } : undefined,
    )
    const outcomes = await sendMany(sender, 4)
    assert.deepEqual(
      outcomes.map(({ kind }) => kind),
      ['delivered', 'retry', 'delivered', 'delivered'],
    )
    assert.equal(server.connections, 2)
  })

  void test('421 on an idle connection does not disturb anybody', async (t) => {
    const { sender, server } = await start(t, usual)
    await sender.send(mailTo())
    const [socket] = server.sockets
    socket?.end('421 4.4.2 idle too long\r\n')
    if (socket !== undefined) await once(socket, 'close')
    assert.equal((await sender.send(mailTo())).kind, 'delivered')
    assert.equal(server.connections, 2)
  })

  void test('a server that drops every connection is tried a bounded number of times', async (t) => {
    const { sender, server } = await start(t, ({ step, nth }) =>
      step === 'MAIL' && nth === 2 ? { drop: true } : undefined,
    )
    const outcomes = await sendMany(sender, 6)
    assert.ok(outcomes.every(({ kind }) => kind === 'delivered' || kind === 'retry'))
    assert.ok(server.connections <= 12)
  })

  void test('content that can not be had breaks off before the dot and leaves the server without a mail', async (t) => {
    const { sender, server } = await start(t, usual)
    const outcome = await sender.send(mailTo({ content: brokenContent }))
    assert.equal(outcome.kind, 'retry')
    assert.equal(outcome.error?.code, 'INTERNAL')
    assert.equal(server.mails.length, 0)
    assert.equal((await sender.send(mailTo())).kind, 'delivered')
  })

  void test('the source of a mail that the server gives up half-way is closed and not read to its end', async (t) => {
    const { sender } = await start(t, ({ step }) =>
      step === 'DATA' ? { afterBytes: 100_000, react: { reply: '552 5.3.4 too big' } } : undefined,
    )
    let pieces = 0
    let settled = (): void => undefined
    const closed = new Promise<void>((resolve) => (settled = resolve))
    async function* content(): AsyncGenerator<Buffer> {
      try {
        for (; pieces < 100_000; pieces++) {
          yield Buffer.alloc(10_000, 'x\r\n')
          await turn()
        }
      } finally {
        settled()
      }
    }
    assert.equal((await sender.send(mailTo({ content }))).kind, 'reject')
    await closed
    assert.ok(pieces < 10_000)
  })

  void test('streamed content arrives whole, its pieces held back until the system took the one before', async (t) => {
    const { sender, server } = await start(t, usual)
    const line = `.${'x'.repeat(70)}\r\n`
    async function* content(): AsyncGenerator<Buffer> {
      for (let at = 0; at < 20; at++) yield Buffer.from(line.repeat(1000))
    }
    assert.equal((await sender.send(mailTo({ content }))).kind, 'delivered')
    assert.equal(server.mails[0]?.content, line.repeat(20_000))
  })
})

void describe('an account in trouble', { concurrency: 4 }, () => {
  void test('nothing listens: all that waits is answered, and one connection is tried and not one for each', async (t) => {
    const onTrouble = mock.fn()
    const port = await deadPort()
    const options = senderOptions(port, { connections: 4 })
    const sender = new SmtpSender(
      options,
      senderDependencies({ onTrouble, backoff: { firstMs: 60_000, maxMs: 60_000 } }),
    )
    t.after(() => sender.close({ graceMs: 0 }))
    const outcomes = [...(await sendMany(sender, 10)), ...(await sendMany(sender, 10))]
    assert.deepEqual(kinds(outcomes), ['retry'])
    assert.deepEqual([...new Set(outcomes.map(({ error }) => error?.code))], ['SMTP_UNREACHABLE'])
    assert.match(outcomes[0]?.error?.message ?? '', /nothing listens there/)
    assert.equal(onTrouble.mock.callCount(), 1)
  })

  void test('a refused login is an account failure, answered at once while the account rests', async (t) => {
    const { sender, server } = await start(
      t,
      ({ step }) => (step === 'AUTH' ? { reply: '535 5.7.8 wrong password hunter2' } : undefined),
      {
        auth: {
          method: 'password',
          user: 'u',
          password: new Secret('hunter2'),
        },
        allowPlaintextAuth: true,
      },
      {},
      [...usualExtensions, 'AUTH PLAIN'],
    )
    const outcomes = [...(await sendMany(sender, 3)), ...(await sendMany(sender, 3))]
    assert.deepEqual(kinds(outcomes), ['retry'])
    assert.ok(
      outcomes.every(({ accountFailure, error }) => accountFailure && error?.code === 'SMTP_AUTHENTICATION_FAILED'),
    )
    assert.equal(server.connections, 1)
    assert.ok(!JSON.stringify(outcomes.map(({ error }) => error?.message)).includes('hunter2'))
  })

  void test('when the server is back the next mail after the pause is delivered', async (t) => {
    let up = false
    let now = 1_000_000
    const { sender } = await start(
      t,
      ({ step }) => (step === 'CONNECT' && !up ? { reply: '421 4.3.2 down', thenDrop: true } : undefined),
      {},
      { now: () => now, backoff: { firstMs: 1000, maxMs: 1000 } },
    )
    assert.equal((await sender.send(mailTo())).kind, 'retry')
    up = true
    assert.equal((await sender.send(mailTo())).kind, 'retry')
    now += 1001
    assert.equal((await sender.send(mailTo())).kind, 'delivered')
  })

  void test('while one connection lives, a refused second one holds up nobody', async (t) => {
    const { sender, server } = await start(
      t,
      ({ step, connection }) =>
        step === 'CONNECT' && connection > 1 ? { reply: '421 4.7.0 too many connections', thenDrop: true } : undefined,
      { connections: 4 },
    )
    await sender.send(mailTo())
    assert.deepEqual(kinds(await sendMany(sender, 30)), ['delivered'])
    assert.ok(server.connections < 10)
  })

  void test('the refusal of a second connection is what a mail is told when the first has served its time', async (t) => {
    const onTrouble = mock.fn<() => void>()
    const troubled = new Promise<void>((resolve) => onTrouble.mock.mockImplementation(resolve))
    const { sender } = await start(
      t,
      ({ step, connection }) =>
        step === 'CONNECT' && connection > 1 ? { reply: '421 4.7.0 too many connections', thenDrop: true } : undefined,
      { connections: 2, messagesPerConnection: 4 },
      { now: () => 1_000_000, onTrouble },
    )
    await sender.send(mailTo())
    await Promise.all([sendMany(sender, 2), troubled])
    assert.equal((await sender.send(mailTo())).kind, 'delivered')
    const { kind, error } = await sender.send(mailTo())
    assert.deepEqual([kind, error?.code], ['retry', 'SMTP_DEFERRED'])
  })
})

void describe('pauses', { concurrency: 4, timeout: 30_000 }, () => {
  void test('a mail that waits for the rate does not wait for the next try of a connection that failed', async (t) => {
    const trouble = new EventEmitter()
    const troubled = once(trouble, 'it')
    const { sender } = await start(
      t,
      ({ step, connection }) => (step === 'CONNECT' && connection > 1 ? { drop: true } : undefined),
      { connections: 2, rate: { count: 3, perMs: 300 } },
      { backoff: forEver, onTrouble: () => trouble.emit('it') },
    )
    await sender.send(mailTo())
    const { mail, open } = gatedMail()
    const outcomes = [sender.send(mail), sender.send(mailTo())]
    await troubled
    open()
    assert.deepEqual(kinds(await Promise.all(outcomes)), ['delivered'])
    assert.equal((await sender.send(mailTo())).kind, 'delivered')
  })

  void test('an account that is accepted again is connected to at once', async (t) => {
    const onAccepted = mock.fn()
    const { sender } = await start(
      t,
      ({ step, connection }) => (step === 'MAIL' && connection === 2 ? { reply: '550 5.7.1 not you' } : undefined),
      { connections: 2, messagesPerConnection: 1 },
      { backoff: forEver, onAccepted },
    )
    const { mail, open } = gatedMail()
    const slow = sender.send(mail)
    const refused = await sender.send(mailTo())
    assert.deepEqual([refused.kind, refused.accountFailure], ['retry', true])
    open()
    assert.equal((await slow).kind, 'delivered')
    assert.equal(onAccepted.mock.callCount(), 1)
    assert.equal((await sender.send(mailTo())).kind, 'delivered')
  })
})

void describe('rate and stop', { concurrency: 4 }, () => {
  void test('no more mails than the rate allows go in any window; the others wait their turn', async (t) => {
    const { sender, server } = await start(t, usual, { rate: { count: 3, perMs: 200 } })
    const startedAt = performance.now()
    assert.deepEqual(kinds(await sendMany(sender, 7)), ['delivered'])
    assert.ok(performance.now() - startedAt >= 390)
    assert.equal(server.mails.length, 7)
  })

  void test('close lets what was given finish', async (t) => {
    const { sender, server } = await start(t, usual)
    const sending = sendMany(sender, 20)
    await sender.close({ graceMs: 5000 })
    assert.deepEqual(kinds(await sending), ['delivered'])
    assert.equal(server.mails.length, 20)
    assert.equal(server.count('QUIT'), 1)
  })

  void test('close breaks off after its grace, and what was not begun is told apart from what may have been sent', async (t) => {
    const { sender, server } = await start(t, ({ step }) => (step === 'END' ? { stall: true } : undefined))
    const sending = sendMany(sender, 3)
    await server.reached('END')
    await sender.close({ graceMs: 0 })
    const outcomes = await sending
    assert.deepEqual(
      outcomes.map(({ kind, error }) => [kind, error?.code]),
      [
        ['indeterminate', 'SMTP_OUTCOME_UNKNOWN'],
        ['retry', 'STOPPED'],
        ['retry', 'STOPPED'],
      ],
    )
    assert.equal((await sender.send(mailTo())).error?.code, 'STOPPED')
  })

  void test('what waits for a connection can be taken back, and is not begun afterwards', async (t) => {
    const { sender, server } = await start(t, usual)
    const turn = new AbortController()
    const { mail, open } = gatedMail()
    const first = sender.send(mail, turn.signal)
    const waiting = [sender.send(mailTo(), turn.signal), sender.send(mailTo(), turn.signal), sender.send(mailTo())]
    await server.reached('DATA')
    turn.abort()
    sender.withdraw()
    const taken = await Promise.all(waiting.slice(0, 2))
    assert.deepEqual(
      taken.map(({ kind, error }) => [kind, error?.code]),
      [
        ['retry', 'STOPPED'],
        ['retry', 'STOPPED'],
      ],
    )
    assert.equal((await sender.send(mailTo(), turn.signal)).error?.code, 'STOPPED')
    open()
    assert.deepEqual(kinds(await Promise.all([first, ...waiting.slice(2)])), ['delivered'])
    assert.equal(server.mails.length, 2)
  })

  void test('close gives up a connection that is being opened', async (t) => {
    const { sender, server } = await start(t, ({ step }) => (step === 'CONNECT' ? { stall: true } : undefined))
    const sending = sender.send(mailTo())
    await server.reached('CONNECT')
    await sender.close({ graceMs: 0 })
    assert.equal((await sending).error?.code, 'STOPPED')
    const [socket] = server.sockets
    if (socket !== undefined) await once(socket, 'close')
    assert.equal(server.sockets.size, 0)
  })
})

void describe('what the server can not take', { concurrency: 4 }, () => {
  void test('a mail larger than SIZE is rejected without a word to the server, and the connection goes on', async (t) => {
    const { sender, server } = await start(t, usual)
    const outcome = await sender.send(mailTo({ needs: { sizeBytes: 10_000_001 } }))
    assert.equal(outcome.kind, 'reject')
    assert.equal(outcome.error?.code, 'SMTP_MESSAGE_TOO_LARGE')
    assert.equal(outcome.recipients[0]?.status, 'REJECTED')
    assert.equal((await sender.send(mailTo())).kind, 'delivered')
    assert.equal(server.count('MAIL'), 1)
  })

  void test('SMTPUTF8 and 8BITMIME are asked for where needed, and their absence rejects', async (t) => {
    const { sender, server } = await start(t, usual)
    const needs = { smtpUtf8: true, eightBit: true }
    const mail = mailTo({ to: ['jörg@example.com'], needs })
    assert.equal((await sender.send(mail)).kind, 'delivered')
    assert.ok(server.lines.includes('MAIL FROM:<a@example.com> SIZE=100 BODY=8BITMIME SMTPUTF8'))
    const poor = await start(t, usual, {}, {}, ['PIPELINING'])
    assert.equal((await poor.sender.send(mail)).kind, 'reject')
    assert.equal((await poor.sender.send(mailTo({ needs: { eightBit: true } }))).kind, 'reject')
    assert.equal(poor.server.count('MAIL'), 0)
  })

  void test('DSN goes along where it is offered, and is left out where not', async (t) => {
    const dsn = { envelopeId: 'order 7+1', return: 'HDRS', notify: ['SUCCESS', 'FAILURE'] } as const
    const { sender, server } = await start(t, usual)
    await sender.send(mailTo({ to: ['b+c@example.com'], envelope: { dsn } }))
    assert.ok(server.lines.includes('MAIL FROM:<a@example.com> SIZE=100 RET=HDRS ENVID=order+207+2B1'))
    const rcpt = 'RCPT TO:<b+c@example.com> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b+2Bc@example.com'
    assert.ok(server.lines.includes(rcpt))
    await sender.send(mailTo({ envelope: { dsn: { envelopeId: 'order 8', return: null, notify: [] } } }))
    assert.ok(server.lines.includes('MAIL FROM:<a@example.com> SIZE=100 ENVID=order+208'))
    assert.ok(server.lines.includes('RCPT TO:<b@example.com>'), 'no report was asked for')
    const poor = await start(t, usual, {}, {}, ['PIPELINING'])
    await poor.sender.send(mailTo({ envelope: { dsn } }))
    assert.ok(poor.server.lines.includes('MAIL FROM:<a@example.com>'))
  })
})
