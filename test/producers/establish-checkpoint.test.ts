import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ReceiveRule } from '../../src/config/config.ts'
import { mail, openFolder } from '../support/folder.ts'
import type { ImapReaction } from '../support/imap-fault-server.ts'
import { fromUidSet } from '../../src/mail/uid-set.ts'

const poisons: Record<string, ImapReaction> = {
  'is refused': { answer: 'NO that one is broken' },
  'kills the connection': { drop: true },
  'is not described': { change: (line) => (/UID 3\b/.test(line) ? null : line) },
}

const openPoisoned = async (
  t: Parameters<typeof openFolder>[0],
  reaction: ImapReaction,
  rule: Partial<ReceiveRule>,
) => {
  let isPoisoned = false
  const script = ({ verb, args }: { verb: string; args: string }) =>
    isPoisoned && verb === 'UID FETCH' && fromUidSet(args.split(' ')[0] ?? '').includes(3) ? reaction : undefined
  const folder = await openFolder(t, rule, { script })
  return { folder, poison: () => void (isPoisoned = true) }
}

const old = new Date(Date.UTC(2025, 0, 1))
const meanwhile = new Date(Date.UTC(2026, 5, 1))

for (const [title, reaction] of Object.entries(poisons)) {
  test(`a folder begins though a message in it ${title}, and the others are remembered`, async (t) => {
    const { folder, poison } = await openPoisoned(t, reaction, {
      start: { at: 'latest' },
      uidValidityChanged: 'reconcile',
    })
    poison()
    for (const name of ['a', 'b', 'poison', 'd']) folder.server.deliver(mail(name))
    await folder.syncUntilSettled()
    assert.equal((await folder.checkpoint())?.recent.length, 3)
    folder.server.deliver(mail('new'))
    await folder.syncUntilSettled()
    assert.deepEqual(await folder.subjects(), ['new'])
    assert.deepEqual(folder.deadLetters, [])
  })

  for (const policy of ['reseed', 'reconcile'] as const) {
    test(`${policy}: a renumbered folder goes on though a message in it ${title}, which is told by a dead letter`, async (t) => {
      const { folder, poison } = await openPoisoned(t, reaction, { uidValidityChanged: policy })
      for (const name of ['a', 'b']) folder.server.deliver(mail(name), [], old)
      await folder.sync()
      folder.server.deliver(mail('poison'), [], meanwhile)
      folder.server.deliver(mail('d'), [], meanwhile)
      folder.server.inbox.renumber()
      poison()
      await folder.syncUntilSettled()
      assert.deepEqual(await folder.subjects(), ['a', 'b', 'd'])
      assert.deepEqual(
        folder.deadLetters.map(({ key }) => key),
        ['main/INBOX/2/3'],
      )
    })
  }
}
