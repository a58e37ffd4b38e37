import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LingeringMailbox } from '../../src/consumers/lingering-mailbox.ts'
import type { Mailbox } from '../../src/mail/mailbox.ts'

const setUp = () => {
  const opened: { isClosed: boolean }[] = []
  const lingering = new LingeringMailbox(async () => {
    const connection = { isClosed: false }
    opened.push(connection)
    return { close: async () => void (connection.isClosed = true) } as Mailbox
  })
  return { opened, lingering }
}

test('one connection serves many uses, one at a time', async () => {
  const { opened, lingering } = setUp()
  let inside = 0
  await Promise.all(
    [1, 2, 3].map(() =>
      lingering.use(async () => {
        inside += 1
        assert.equal(inside, 1)
        await new Promise(setImmediate)
        inside -= 1
      }),
    ),
  )
  assert.equal(opened.length, 1)
  await lingering.close()
  assert.deepEqual(opened, [{ isClosed: true }])
})

test('a use that fails throws the connection away, and the next has a new one', async () => {
  const { opened, lingering } = setUp()
  await assert.rejects(lingering.use(() => Promise.reject(new Error('lost'))))
  await lingering.use(async () => undefined)
  assert.deepEqual(
    opened.map(({ isClosed }) => isClosed),
    [true, false],
  )
  await lingering.close()
})

test('once closed it opens nothing more, also for what had been waiting', async () => {
  const { opened, lingering } = setUp()
  const first = lingering.use(() => new Promise((resolve) => setImmediate(resolve)))
  const second = lingering.use(async () => undefined)
  await new Promise(setImmediate)
  await lingering.close()
  await first
  await assert.rejects(second, { code: 'STOPPED' })
  assert.deepEqual(
    opened.map(({ isClosed }) => isClosed),
    [true],
  )
})
