import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteBudget } from '../../src/producers/byte-budget.ts'
import { keepMoving } from '../../src/producers/keep-moving.ts'
import { mail, openFolder } from '../support/folder.ts'

test('a server that stalls in the middle of its mail does not keep the memory that another mailbox waits for', async (t) => {
  let isStalled = true
  const stalled = await openFolder(
    t,
    {},
    {
      script: ({ verb, args }) =>
        isStalled && verb === 'UID FETCH' && args.includes('BODY.PEEK[]') ? { stall: true } : undefined,
    },
  )
  const other = await openFolder(t)
  // Whoever has anything has all of it.
  stalled.budget = other.budget = new ByteBudget(1)
  stalled.patienceMs = 200
  stalled.commandTimeoutMs = 60_000
  for (const { server } of [stalled, other]) for (const name of ['a', 'b']) server.deliver(mail(name))
  const failed = assert.rejects(stalled.sync(), { code: 'IMAP_TIMEOUT' })
  await stalled.server.reached('UID FETCH', 2)
  assert.equal(await other.sync(), 2)
  await failed
  isStalled = false
  await stalled.syncUntilSettled()
  assert.deepEqual(await stalled.subjects(), ['a', 'b'])
})

test('who keeps nobody waiting may take its time', async () => {
  let go: () => void = () => undefined
  async function* slow() {
    yield 1
    await new Promise<void>((resolve) => (go = resolve))
    yield 2
  }
  let looks = 0
  const isWanted = () => {
    looks += 1
    go()
    return false
  }
  const items: number[] = []
  const giveUp = () => assert.fail('nobody waits')
  for await (const item of keepMoving(slow(), { isWanted, patienceMs: 1, giveUp })) items.push(item)
  assert.deepEqual(items, [1, 2])
  assert.ok(looks > 0)
})
