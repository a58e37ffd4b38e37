import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import nodemailer from 'nodemailer'
import type { InboundAttachment } from '../../src/avro/records.ts'
import { connectMailbox } from '../../src/mail/imap-mailbox.ts'
import { createS3AttachmentStore } from '../../src/mail/s3-attachment-store.ts'
import { Cluster } from '../support/kafka.ts'
import { pythonWith } from '../support/python.ts'
import { testServers, uniqueName } from '../support/servers.ts'
import { deploy, Worker } from '../support/worker.ts'

const count = 500
const script = new URL('../support/python/read_inbound.py', import.meta.url).pathname
const schema = new URL('../../schemas/InboundMessage.avsc', import.meta.url).pathname
const sha256 = (content: Buffer) => createHash('sha256').update(content).digest('hex')

interface Sent {
  subject: string
  attachments: { filename: string; content: Buffer }[]
}

/** What a program in Python has read. */
interface Read {
  key: string
  headers: Record<string, string[]>
  dedupeId: string
  messageId: string
  subject: string
  attachments: InboundAttachment[]
}

const deliver = async (address: string): Promise<Map<string, Sent>> => {
  const { mail } = await testServers()
  const transport = nodemailer.createTransport({ host: mail.host, port: mail.smtpPort, pool: true, maxConnections: 4 })
  const sent = new Map<string, Sent>()
  for (let index = 0; index < count; index += 1) {
    const attachments = Array.from({ length: index % 4 }, (_, at) => ({
      filename: `Anhang ${at} für ${index}.bin`,
      content: randomBytes(1 + ((index * 997 + at * 31_337) % 50_000)),
    }))
    sent.set(`<${index}.${address}>`, { subject: `Nachricht ${index} – ü`, attachments })
  }
  const messages = [...sent].map(([messageId, { subject, attachments }], index) =>
    transport.sendMail({
      from: 'Sender <sender@example.com>',
      to: address,
      subject,
      messageId,
      text: `message ${index}\n`,
      ...(index % 5 === 0 ? { html: `<p>message ${index}</p>` } : {}),
      attachments,
    }),
  )
  await Promise.all(messages)
  transport.close()
  return sent
}

test('500 messages are published exactly once through kills in the middle, as a reader in Python sees it', async (t) => {
  const { mail, brokers } = await testServers()
  const address = `${uniqueName('restart')}@example.com`
  const imap = {
    host: mail.host,
    port: mail.imapPort,
    security: 'none',
    allowPlaintextAuth: true,
    auth: { user: address, password: 'any' },
  }
  const receive = [{ folder: 'INBOX', start: 'earliest', after: { move: 'Processed' }, poll: '1s' }]
  const { config, configFile } = await deploy(t, { inbox: { imap, receive } })
  const cluster = new Cluster(t, config)
  const { inbound } = config.kafka.topics
  const sent = await deliver(address)

  for (const enough of [1, 150, 300]) {
    const worker = new Worker(t, configFile)
    await worker.seen(({ event }) => event === 'Started')
    const before = await cluster.take(inbound, enough)
    await worker.kill()
    assert.ok(before.length < count, 'killed in the middle')
  }
  const last = new Worker(t, configFile)
  await cluster.take(inbound, count)
  await last.seen(({ event }) => event === 'FolderSynced')
  assert.equal(await last.stop(), 0)

  const python = await pythonWith('fastavro==1.13.1', 'kafka-python==3.0.12')
  const lines = (await python(script, [brokers.join(','), inbound, schema], '')).trim().split('\n')
  const read = lines.map((line) => JSON.parse(line) as Read)
  assert.equal(read.length, count)
  assert.equal(new Set(read.map(({ dedupeId }) => dedupeId)).size, count)
  assert.deepEqual(read.map(({ messageId }) => messageId).sort(), [...sent.keys()].sort())

  assert.ok(config.storage)
  const store = createS3AttachmentStore(config.storage)
  t.after(() => store.close())
  for (const { key, headers, dedupeId, messageId, subject, attachments } of read) {
    const original = sent.get(messageId)
    assert.ok(original)
    assert.equal(key, dedupeId)
    assert.equal(subject, original.subject)
    assert.deepEqual(headers['mail-dedupe-id'], [dedupeId])
    assert.deepEqual(headers['mail-attachments-count'], [String(original.attachments.length)])
    assert.deepEqual(
      headers['mail-file-name'] ?? [],
      original.attachments.map(({ filename }) => filename),
    )
    assert.deepEqual(
      attachments.map(({ sha256 }) => sha256),
      original.attachments.map(({ content }) => sha256(content)),
    )
    for (const { object, sha256: hash } of attachments)
      assert.equal(sha256(await buffer(await store.open(object))), hash)
  }

  assert.ok(config.accounts['inbox']?.imap)
  const mailbox = await connectMailbox(config.accounts['inbox'].imap)
  t.after(() => mailbox.close())
  await mailbox.open('INBOX', { readOnly: true })
  assert.deepEqual(await mailbox.searchUids({}, 1), [], 'the after-read action is done for all')
  await mailbox.open('Processed', { readOnly: true })
  assert.equal((await mailbox.searchUids({}, 1)).length, count)
})
