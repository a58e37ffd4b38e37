/** All that a request can say, and the largest that it can carry, as they arrive. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { describe, test, type TestContext } from 'node:test'
import { simpleParser } from 'mailparser'
import { createS3AttachmentStore } from '../../src/mail/s3-attachment-store.ts'
import { startSending } from '../support/sending.ts'

void describe('the whole request', { concurrency: 2 }, () => {
  void test('bodies, images, attachments, threading, priority, reports and foreign addresses arrive as they were meant', async (t) => {
    const sending = await startSending(t, { smtp: { allowedFrom: ['*@example.com'] } })
    const worker = await sending.startWorker()
    await sending.send({
      id: 'whole',
      from: 'Käthe <kaethe@example.com>',
      to: ['Jörg <jörg@bücher.example>; ann@bücher.example'],
      cc: ['c@example.com'],
      bcc: ['hidden@example.com'],
      replyTo: ['replies@example.com'],
      subject: 'Grüße',
      text: 'Hallo',
      html: '<p>Hallo <img src="cid:logo"></p>',
      attachments: [
        {
          fileName: 'logo.png',
          contentType: 'image/png',
          contentId: 'logo',
          disposition: 'INLINE',
          content: Buffer.from('png'),
        },
        { fileName: null, contentType: null, contentId: null, content: Buffer.from([0, 255, 10]) },
        {
          fileName: 'Übersicht.ics',
          contentType: 'text/calendar; method=REQUEST',
          contentId: null,
          content: Buffer.from('BEGIN'),
        },
      ],
      headers: { 'X-Campaign': 'spring' },
      inReplyTo: '<before@example.com>',
      references: ['<first@example.com>', '<before@example.com>'],
      priority: 'HIGH',
      dsn: { notify: ['FAILURE', 'DELAY'], return: 'HEADERS' },
      tags: { order: '7' },
    })
    const [result] = await sending.results(1)
    assert.equal(result?.status, 'DELIVERED')
    assert.deepEqual(
      result?.recipients.map(({ address }) => address),
      ['jörg@bücher.example', 'ann@bücher.example', 'c@example.com', 'hidden@example.com'],
    )
    const [received] = sending.server.mails
    assert.ok(received)
    assert.match(received.mail, / SMTPUTF8.* RET=HDRS ENVID=whole$/)
    assert.ok(received.rcpt.every((line) => line.includes('NOTIFY=FAILURE,DELAY')))
    assert.ok(received.rcpt.some((line) => line.includes('<ann@xn--bcher-kva.example>')))
    assert.doesNotMatch(received.content, /hidden@/)
    const mail = await simpleParser(received.content)
    assert.equal(mail.subject, 'Grüße')
    assert.equal(mail.text?.trim(), 'Hallo')
    assert.equal(mail.messageId, result?.messageId)
    assert.equal(mail.inReplyTo, '<before@example.com>')
    assert.equal(mail.headers.get('priority'), 'high')
    assert.equal(mail.headers.get('x-campaign'), 'spring')
    const [logo, nameless, calendar] = mail.attachments
    assert.deepEqual([logo?.cid, logo?.related], ['logo', true])
    assert.match(nameless?.filename ?? '', /^[0-9a-f]{32}$/)
    assert.equal(nameless?.contentType, 'application/binary')
    assert.deepEqual(nameless?.content, Buffer.from([0, 255, 10]))
    assert.deepEqual([calendar?.filename, calendar?.contentType], ['Übersicht.ics', 'text/calendar'])
    assert.equal(await worker.stop(), 0)
  })

  void test('100 MB by reference arrive whole and cost the worker little memory', async (t) => {
    const sink = await startHashingSink(t)
    const sending = await startSending(t, { smtp: { port: sink.port } })
    assert.ok(sending.config.storage)
    const store = createS3AttachmentStore(sending.config.storage)
    t.after(() => store.close())
    const piece = randomBytes(1_000_000)
    async function* content(): AsyncGenerator<Buffer> {
      for (let sent = 0; sent < 100; sent += 1) yield piece
    }
    const { bucket, prefix } = sending.config.storage
    const key = `${prefix}/big.bin`
    const head = { key, contentType: 'application/octet-stream', fileName: null }
    const { sha256 } = await store.putStream({ ...head, content: content() })
    const worker = await sending.startWorker()
    await sending.send({
      id: 'big',
      attachments: [{ fileName: 'big.bin', content: { bucket, key, versionId: null, size: 100_000_000, sha256 } }],
    })
    const [result] = await sending.results(1)
    assert.deepEqual([result?.status, result?.error], ['DELIVERED', null])
    assert.equal(await sink.attachment, sha256)
    const peak = await worker.peakMemory()
    t.diagnostic(`peak memory ${Math.round(peak / 1_048_576)} MB`)
    assert.ok(peak < 260 * 1_048_576, `${peak} bytes`)
    assert.equal(await worker.stop(), 0)
  })
})

/** Takes one mail of any size and keeps nothing of it but the hash of what its base64 part says. */
const startHashingSink = async (t: TestContext): Promise<{ port: number; attachment: Promise<string> }> => {
  let found: (hash: string) => void = () => undefined
  const attachment = new Promise<string>((resolve) => (found = resolve))
  const server = createServer((socket) => {
    const hash = createHash('sha256')
    let part: 'commands' | 'headers' | 'text' | 'base64' = 'commands'
    let encoding = 'text'
    const onLine = (line: string): void => {
      if (part === 'commands') {
        const isData = line.startsWith('DATA')
        if (isData) part = 'headers'
        socket.write(isData ? '354 go on\r\n' : '250 ok\r\n')
      } else if (line === '.') {
        found(hash.digest('hex'))
        part = 'commands'
        socket.write('250 ok\r\n')
      } else if (line.startsWith('--')) part = 'headers'
      else if (part === 'headers') {
        if (line.startsWith('Content-Transfer-Encoding: ')) encoding = line.slice(27)
        if (line === '') part = encoding === 'base64' ? 'base64' : 'text'
      } else if (part === 'base64') hash.update(Buffer.from(line, 'base64'))
    }
    socket.on('error', () => undefined)
    socket.write('220 sink\r\n')
    createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY }).on('line', onLine)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return { port: (server.address() as AddressInfo).port, attachment }
}
