import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deriveMessageId } from '../../src/mail/compose/message-id.ts'
import { connectMailbox } from '../../src/mail/imap-mailbox.ts'
import { everyMessage } from '../../src/mail/match-message.ts'
import { lookAt } from '../../src/producers/select-messages.ts'
import { mail, openFolder } from '../support/folder.ts'
import { ScriptFolder } from '../support/imap-fault-folder.ts'

test('a checkpoint that passes over a message that is not described remembers it in the same commit', async (t) => {
  let isBroken = true
  const folder = await openFolder(
    t,
    {},
    {
      script: ({ verb, args }) =>
        isBroken && verb === 'UID FETCH' && args.includes('HEADER.FIELDS')
          ? { change: (line) => (line.includes('UID 2 ') ? null : line) }
          : undefined,
    },
  )
  for (const name of ['a', 'not described', 'c']) folder.server.deliver(mail(name))
  // The worker dies right after the batch is published.
  folder.beforeCommit = () => {
    if (folder.committed.some(({ topic }) => topic === 'inbound')) throw new Error('killed')
  }
  await folder.sync().catch(() => undefined)
  assert.deepEqual(await folder.subjects(), ['a', 'c'])
  folder.beforeCommit = () => undefined
  isBroken = false
  folder.restart()
  folder.now += 60_000
  await folder.sync()
  assert.deepEqual(await folder.subjects(), ['a', 'c', 'not described'])
})

test('a message that was published at a later try is known again when the server renumbers the folder', async (t) => {
  let isBroken = true
  const folder = await openFolder(
    t,
    { uidValidityChanged: 'reconcile' },
    {
      script: ({ verb, args }) =>
        isBroken && verb === 'UID FETCH' && args.includes('BODY.PEEK[]')
          ? { change: (line) => (line.includes('UID 2 ') ? null : line) }
          : undefined,
    },
  )
  for (const name of ['a', 'later', 'c']) folder.server.deliver(mail(name))
  await folder.sync()
  isBroken = false
  folder.now += 60_000
  await folder.sync()
  folder.server.inbox.renumber()
  await folder.sync()
  assert.deepEqual(await folder.subjects(), ['a', 'c', 'later'])
})

test('what was suspect is not, once the server has renumbered the folder', async (t) => {
  let isBroken = true
  const folder = await openFolder(
    t,
    { uidValidityChanged: 'replay' },
    {
      script: ({ verb, args }) =>
        isBroken && verb === 'UID FETCH' && args.includes('BODY.PEEK[]') ? { drop: true } : undefined,
    },
  )
  for (const name of ['a', 'b', 'c']) folder.server.deliver(mail(name))
  await assert.rejects(folder.sync(), { code: 'IMAP_CONNECTION_LOST' })
  isBroken = false
  folder.server.inbox.renumber()
  await folder.sync()
  const bodies = folder.server.commands.filter((line) => line.includes('BODY.PEEK[]'))
  assert.deepEqual(
    bodies.map((line) => line.split(' ')[3]),
    ['1:3', '1:3'],
  )
})

test('a report about a mail of an account that a reload has added is tied to its request', async (t) => {
  const bounce = [
    'Subject: bounce\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n',
    '--b\r\n\r\nno\r\n--b\r\nContent-Type: message/delivery-status\r\n',
    'Reporting-MTA: dns; mx\r\nOriginal-Envelope-Id: r1\r\n',
    'Final-Recipient: rfc822; a@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n',
    '--b\r\nContent-Type: text/rfc822-headers\r\n',
    `Message-ID: ${deriveMessageId('added', 'r1', 'example.com')}\r\n\r\n--b--\r\n`,
  ].join('\r\n')
  const folder = await openFolder(t)
  folder.server.deliver(bounce)
  await folder.sync()
  folder.accounts.push('added')
  folder.server.deliver(bounce)
  await folder.sync()
  const reports = (await folder.published()).map(({ report }) => report?.requestId)
  assert.deepEqual(reports, [null, 'r1'])
})

test('when a sync has failed nothing of it is under way any more: the connection may open another folder', async (t) => {
  const folder = await openFolder(
    t,
    {},
    {
      script: ({ verb, args }) => {
        if (verb !== 'UID FETCH') return undefined
        if (args.startsWith('1:1000 ')) return { answer: 'NO not these' }
        // Incomplete, so that it is asked for once more.
        return { change: (line) => (line.includes('UID 1500 ') ? null : line) }
      },
    },
  )
  const { server } = folder
  for (let n = 0; n < 2_000; n += 1) server.inbox.add(mail('m'))
  server.folders.set('Other', new ScriptFolder())
  await folder.sync(async (mailbox) => void (await mailbox.open('Other', { readOnly: true }))).catch(() => undefined)
  const verbs = server.commands.map((line) => line.split(' ').slice(1, 4).join(' '))
  assert.ok(verbs.some((line) => line === 'UID FETCH 1500'))
  assert.deepEqual(
    verbs.slice(verbs.findIndex((line) => line.includes('Other'))).filter((line) => line.startsWith('UID ')),
    [],
  )
})

test('after-read actions look only at what awaits them, however much mail is still to come', async (t) => {
  const folder = await openFolder(t, { after: { action: 'seen' } })
  for (let n = 0; n < 450; n += 1) folder.server.inbox.add(mail('m'))
  await folder.sync()
  const searches = folder.server.commands.flatMap((line) => / UID SEARCH UID (\S+)/.exec(line)?.[1] ?? [])
  assert.deepEqual(searches, ['1:*', '1:100', '101:200', '201:300', '301:400', '401:450'])
})

test('a quota of the provider charges no message, however long it lasts', async (t) => {
  let isOver = true
  const folder = await openFolder(
    t,
    {},
    {
      script: ({ verb }) =>
        isOver && verb === 'UID FETCH' ? { answer: 'NO [OVERQUOTA] Account exceeded bandwidth limits' } : undefined,
    },
  )
  for (const name of ['a', 'b']) folder.server.deliver(mail(name))
  for (let n = 0; n < 6; n += 1) await assert.rejects(folder.sync(), { retryable: true, retryAfterMs: 600_000 })
  isOver = false
  await folder.sync()
  assert.deepEqual(await folder.subjects(), ['a', 'b'])
  assert.equal(folder.told('MessageFailed'), 0)
})

test('mail to very many is looked through to its last recipient, and its header is not kept', async (t) => {
  const many = Array.from({ length: 20_000 }, (_, n) => `user${n}@example.com`).join(',\r\n ')
  const folder = await openFolder(t, { select: { ...everyMessage, to: 'user19999@*' } })
  folder.server.inbox.add(`To: ${many}\r\n${mail('to all')}`)
  folder.server.inbox.add(mail('to nobody'))
  const mailbox = await connectMailbox(folder.server.config())
  t.after(() => mailbox.close())
  await mailbox.open('INBOX', { readOnly: true })
  const look = await lookAt(mailbox, [1, 2], { firstSightUid: null, atFirstSight: null }, folder.rule)
  assert.deepEqual(
    look.selected.map(({ uid }) => uid),
    [1],
  )
  assert.ok(JSON.stringify(look).length < 2_000)
})
