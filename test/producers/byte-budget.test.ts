import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ByteBudget } from '../../src/producers/byte-budget.ts'

const { signal } = new AbortController()

/** Work that goes on until it is told to end. */
const openWork = () => {
  let end = (): void => undefined
  const ended = new Promise<void>((resolve) => (end = resolve))
  return { end: () => end(), run: () => ended }
}

test('work waits until its share is free, in the order in which it came', async () => {
  const budget = new ByteBudget(100)
  const started: string[] = []
  const begin = (name: string, bytes: number) => {
    const work = openWork()
    const done = budget.hold(bytes, signal, () => {
      started.push(name)
      return work.run()
    })
    return { done, end: work.end }
  }
  const first = begin('first', 60)
  const large = begin('large', 90)
  const small = begin('small', 10)
  assert.deepEqual(started, ['first'], 'the small one does not overtake')
  first.end()
  await first.done
  await new Promise(setImmediate)
  assert.deepEqual(started, ['first', 'large', 'small'])
  large.end()
  small.end()
  await Promise.all([large.done, small.done])
})

test('work that fails gives its share back, and what is too large gets all there is', async () => {
  const budget = new ByteBudget(100)
  await assert.rejects(
    budget.hold(100, signal, () => Promise.reject(new Error('failed'))),
    /failed/,
  )
  assert.equal(await budget.hold(1_000, signal, () => Promise.resolve('ran')), 'ran')
  assert.equal(await budget.hold(100, signal, () => Promise.resolve('ran again')), 'ran again')
})

test('what is held together never exceeds the bound, and everything runs', async () => {
  const total = 100
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(fc.nat(150), fc.nat(4)), { maxLength: 40 }), async (works) => {
      const budget = new ByteBudget(total)
      let held = 0
      let most = 0
      const run = async ([bytes, turns]: [number, number]) => {
        held += Math.min(bytes, total)
        most = Math.max(most, held)
        for (let turn = 0; turn < turns; turn += 1) await Promise.resolve()
        held -= Math.min(bytes, total)
      }
      await Promise.all(works.map((work) => budget.hold(work[0], signal, () => run(work))))
      assert.ok(most <= total)
      assert.equal(held, 0)
    }),
  )
})

test('work that is not wanted any more leaves the queue, and lets those behind it begin', async () => {
  const budget = new ByteBudget(100)
  const first = openWork()
  const held = budget.hold(60, signal, first.run)
  const abort = new AbortController()
  const large = budget.hold(90, abort.signal, async () => assert.fail('it was given up'))
  let hasBegun = false
  const small = budget.hold(10, signal, async () => void (hasBegun = true))
  assert.equal(budget.isWanted, true)
  abort.abort(new Error('stopped'))
  await assert.rejects(large, /stopped/)
  await small
  assert.equal(hasBegun, true)
  assert.equal(budget.isWanted, false)
  await assert.rejects(
    budget.hold(1, abort.signal, async () => undefined),
    /stopped/,
  )
  first.end()
  await held
})
