import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SentMail } from '../../src/consumers/sent-mail.ts'
import type { Mailbox } from '../../src/mail/mailbox.ts'

/** A folder whose server finds any Message-ID that has the wanted one in it, in any case (RFC 3501 6.4.4). */
const mailboxWith = (...messageIds: string[]) => {
  const saved: string[] = []
  const mailbox = {
    open: async () => undefined,
    createFolder: async () => undefined,
    searchUids: async ({ messageId = '' }: { messageId?: string }) =>
      messageIds.flatMap((id, at) => (id.toLowerCase().includes(messageId.toLowerCase()) ? [at] : [])),
    fetchSummaries: async (uids: readonly number[], read: (summary: object, header: Buffer) => unknown) =>
      uids.map((uid) => read({ uid }, Buffer.from(`Message-ID: ${messageIds[uid]}\r\n\r\n`))),
    append: async (folder: string) => void saved.push(folder),
    close: async () => undefined,
  }
  return { mailbox: mailbox as unknown as Mailbox, saved }
}

const sentMail = (mailbox: Mailbox) =>
  new SentMail({ sentFolder: 'Sent', connect: async () => mailbox, now: Date.now, patienceMs: 0 })

test('a mail was sent only where the folder has its very Message-ID, not one that contains it', async () => {
  for (const [there, expected] of [
    ['<1@example.com>', true],
    ['<11@example.com>', false],
    ['<1@EXAMPLE.com>', false],
  ] as const) {
    const { mailbox, saved } = mailboxWith(there)
    const sent = sentMail(mailbox)
    assert.equal(await sent.has('<1@example.com>'), expected, there)
    await sent.save('Sent', '<1@example.com>', async () => Buffer.from('mail'))
    assert.equal(saved.length, expected ? 0 : 1, there)
    await sent.close()
  }
})
