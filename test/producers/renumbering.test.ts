/** What happens when UIDVALIDITY changes (RFC 3501 2.3.1.1): nothing is lost, the folder is not replayed, and it is told. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ReceiveRule } from '../../src/config/config.ts'
import { mail, openFolder } from '../support/folder.ts'

const second = 1_000
const start = Date.UTC(2026, 0, 31)

const renumberedFolder = async (
  t: Parameters<typeof openFolder>[0],
  policy: ReceiveRule['uidValidityChanged'],
  at: 'earliest' | 'latest' | 'unread' = 'earliest',
) => {
  const folder = await openFolder(t, { uidValidityChanged: policy, start: { at } })
  folder.server.deliver(mail('a'), ['\\Seen'], new Date(start))
  folder.server.deliver(mail('b'), [], new Date(start + 9 * second))
  folder.server.deliver(mail('c'), ['\\Seen'], new Date(start + 9 * second))
  await folder.sync()
  folder.committed.splice(0, folder.committed.length - 1)
  folder.restart()
  return folder
}

for (const policy of ['reseed', 'reconcile'] as const) {
  for (const at of ['earliest', 'latest', 'unread'] as const) {
    test(`${policy} after start ${at}: what was settled stays settled, what came meanwhile is taken`, async (t) => {
      const folder = await renumberedFolder(t, policy, at)
      folder.server.deliver(mail('same second'), ['\\Seen'], new Date(start + 9 * second))
      folder.server.deliver(mail('meanwhile'), ['\\Seen'], new Date(start + 20 * second))
      folder.server.inbox.messages.reverse()
      folder.server.inbox.renumber()
      await folder.sync()
      folder.server.deliver(mail('after'), [], new Date(start))
      folder.restart()
      await folder.sync()
      assert.deepEqual((await folder.subjects()).sort(), ['after', 'meanwhile', 'same second'])
      assert.equal(folder.told('UidValidityChanged'), 1)
      const [first] = await folder.published()
      assert.equal(first?.uidValidity, 2)
    })
  }
}

test('reconcile also finds what was put in with an older date', async (t) => {
  const folder = await renumberedFolder(t, 'reconcile')
  folder.server.deliver(mail('moved in'), [], new Date(start + 3 * second))
  folder.server.inbox.renumber()
  await folder.sync()
  assert.deepEqual(await folder.subjects(), ['moved in'])
})

test('replay takes the whole folder again, under new dedupe ids', async (t) => {
  const folder = await renumberedFolder(t, 'replay')
  folder.server.inbox.renumber()
  await folder.sync()
  assert.deepEqual(await folder.subjects(), ['a', 'b', 'c'])
  assert.deepEqual(
    (await folder.published()).map(({ dedupeId }) => dedupeId),
    [1, 2, 3].map((uid) => `main/INBOX/2/${uid}`),
  )
})

test('a worker killed while it looks through a renumbered folder goes on with the same choice', async (t) => {
  const folder = await renumberedFolder(t, 'reseed')
  for (const n of [1, 2, 3]) folder.server.deliver(mail(`new ${n}`, 'content'), [], new Date(start + 30 * second))
  folder.server.inbox.renumber()
  folder.s3.fault = () => 'reset'
  await assert.rejects(folder.sync(), { code: 'STORAGE_UNREACHABLE' })
  folder.s3.fault = () => null
  folder.restart()
  await folder.sync()
  assert.deepEqual(await folder.subjects(), ['new 1', 'new 2', 'new 3'])
})

test('a message that was still to be tried again is told by a dead letter', async (t) => {
  const folder = await openFolder(t)
  folder.s3.fault = (request) => (request.includes('b.txt') ? { status: 400, code: 'InvalidArgument' } : null)
  folder.server.deliver(mail('a', 'content'), [], new Date(start))
  folder.server.deliver(mail('b', 'content'), [], new Date(start))
  await folder.sync()
  folder.server.inbox.renumber()
  await folder.sync()
  assert.deepEqual(
    folder.deadLetters.map(({ source, code }) => [source, code]),
    [['main/INBOX/1/2', 'IMAP_UIDVALIDITY_CHANGED']],
  )
})
