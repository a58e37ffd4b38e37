import assert from 'node:assert/strict'
import { it } from 'node:test'
import { setImmediate } from 'node:timers/promises'

import { takeTurns } from '../../src/mail/take-turns.ts'

it('runs as many tasks at once as allowed, in order, also after one failed', async () => {
  const inTurn = takeTurns(2)
  const started: number[] = []
  let running = 0
  let most = 0
  const task = (number: number) => async (): Promise<number> => {
    started.push(number)
    running += 1
    most = Math.max(most, running)
    await setImmediate()
    running -= 1
    if (number === 1) throw new Error('one')
    return number
  }
  const results = await Promise.allSettled([0, 1, 2, 3, 4, 5].map((number) => inTurn(task(number))))
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled', 'fulfilled', 'fulfilled', 'fulfilled'],
  )
  assert.deepEqual(started, [0, 1, 2, 3, 4, 5])
  assert.equal(most, 2)
  assert.equal(await inTurn(task(6)), 6)
})
