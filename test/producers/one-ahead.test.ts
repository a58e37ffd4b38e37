import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
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

test('with each item the next one is begun, and each item once', async () => {
  const { begun, ahead } = begin(['a', 'b', 'c', 'd'])
  assert.deepEqual(begun, [])
  assert.equal(await ahead.take('a'), 'A')
  assert.deepEqual(begun, ['a', 'b'])
  assert.equal(await ahead.take('b'), 'B')
  assert.deepEqual(begun, ['a', 'b', 'c'])
  assert.equal(await ahead.take('c'), 'C')
  assert.equal(await ahead.take('d'), 'D')
  assert.deepEqual(begun, ['a', 'b', 'c', 'd'])
})

test('a failure is told when its item is taken, not before', async () => {
  const { ahead } = begin(['a', 'b', 'c'], ['b', 'c'])
  await ahead.take('a')
  await new Promise(setImmediate)
  await assert.rejects(ahead.take('b'), /b/)
})

test('an item of one’s own is worked on without going ahead', async () => {
  const { begun, ahead } = begin(['a', 'b'])
  assert.equal(await ahead.take('half of a'), 'HALF OF A')
  assert.deepEqual(begun, ['half of a'])
})

test('what is appended behind the item that was taken last is begun at once, the rest in its turn', async () => {
  const { begun, ahead } = begin([])
  ahead.append(['a', 'b'])
  assert.deepEqual(begun, ['a'])
  assert.equal(await ahead.take('a'), 'A')
  ahead.append(['c'])
  assert.deepEqual(begun, ['a', 'b'])
  await ahead.take('b')
  assert.equal(await ahead.take('c'), 'C')
  ahead.append([])
  ahead.append(['d'])
  assert.deepEqual(begun, ['a', 'b', 'c', 'd'])
  await ahead.end()
  await ahead.take('d')
  ahead.append(['e'])
  assert.deepEqual(begun, ['a', 'b', 'c', 'd'])
})

test('what is appended before what is asked for first is begun once, and waits for its turn', async () => {
  const { begun, ahead } = begin([])
  ahead.append(['later'])
  ahead.append(['a', 'b'])
  for (const item of ['a', 'b', 'later']) assert.equal(await ahead.take(item), item.toUpperCase())
  assert.deepEqual(begun, ['later', 'a', 'b'])
})

test('nothing is kept of what was taken, however long the list grows', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const ahead = new OneAhead<{ name: string }, string>([], ({ name }) => Promise.resolve(name))
  const append = (name: string): WeakRef<object> => {
    const item = { name }
    ahead.append([item])
    void ahead.take(item)
    return new WeakRef(item)
  }
  const taken = ['a', 'b', 'c'].map(append)
  await new Promise(setImmediate)
  collect()
  assert.deepEqual(
    taken.map((item) => item.deref()),
    [undefined, undefined, undefined],
  )
  await ahead.end()
})

test('it has ended when what was begun ahead has ended, well or not', async () => {
  let fail: (error: Error) => void = () => undefined
  const ahead = new OneAhead([1, 2], (item) =>
    item === 1 ? Promise.resolve(item) : new Promise<number>((_, reject) => (fail = reject)),
  )
  await ahead.take(1)
  let isSettled = false
  const settled = ahead.end().then(() => (isSettled = true))
  await new Promise(setImmediate)
  assert.equal(isSettled, false)
  fail(new Error('no'))
  await settled
})
