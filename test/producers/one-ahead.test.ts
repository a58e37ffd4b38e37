import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OneAhead } from '../../src/producers/one-ahead.ts'

/** Work that records what was begun and fails for the items that are named. */
const begin = (items: string[], failing: string[] = []) => {
  const begun: string[] = []
  const ahead = new OneAhead(items, (item) => {
    begun.push(item)
    return failing.includes(item) ? Promise.reject(new Error(item)) : Promise.resolve(item.toUpperCase())
  })
  return { begun, ahead }
}

test('the next item is begun as soon as one is taken, and each item once', async () => {
  const { begun, ahead } = begin(['a', 'b', 'c'])
  assert.deepEqual(begun, [])
  assert.equal(await ahead.take('a'), 'A')
  assert.deepEqual(begun, ['a', 'b'])
  assert.equal(await ahead.take('b'), 'B')
  assert.equal(await ahead.take('c'), 'C')
  assert.deepEqual(begun, ['a', 'b', 'c'])
})

test('a failure is told when its item is taken, and nothing is begun after it', async () => {
  const { begun, ahead } = begin(['a', 'b', 'c'], ['b'])
  await ahead.take('a')
  await new Promise(setImmediate)
  await assert.rejects(ahead.take('b'), /b/)
  assert.deepEqual(begun, ['a', 'b'])
})

test('an item of one’s own is worked on without going ahead', async () => {
  const { begun, ahead } = begin(['a', 'b'], ['a'])
  await assert.rejects(ahead.take('a'), /a/)
  assert.equal(await ahead.take('half of a'), 'HALF OF A')
  assert.deepEqual(begun, ['a', 'half of a'])
})
