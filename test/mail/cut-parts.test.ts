import assert from 'node:assert/strict'
import { it } from 'node:test'

import * as fc from 'fast-check'

import { cutParts } from '../../src/mail/cut-parts.ts'

async function* from<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items
}

it('parts are all of one size but the last, and are the content in order', async () => {
  const chunks = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(chunks, fc.integer({ min: 1, max: 40 }), async (given, partBytes) => {
      const parts: Buffer[] = []
      for await (const part of cutParts(from(given), () => Buffer.alloc(partBytes))) parts.push(Buffer.from(part))
      assert.ok(Buffer.concat(parts).equals(Buffer.concat(given)))
      assert.ok(parts.slice(0, -1).every(({ length }) => length === partBytes))
      const last = parts.at(-1)?.length ?? -1
      const isEmpty = given.every(({ length }) => length === 0)
      assert.ok(isEmpty ? last === 0 && parts.length === 1 : last > 0 && last <= partBytes)
    }),
  )
})

it('a part stays as it is until a third one is asked for, and two buffers are all there is', async () => {
  const parts = cutParts(from([Buffer.from('aab'), Buffer.from('bcc'), Buffer.from('dd')]), () => Buffer.alloc(2))
  const first = await parts.next()
  const second = await parts.next()
  assert.equal(String(first.value), 'aa')
  const third = await parts.next()
  assert.equal(String(second.value), 'bb')
  const fourth = await parts.next()
  assert.deepEqual([third.value, fourth.value].map(String), ['cc', 'dd'])
  const memory = [first, second, third, fourth].map(({ value }) => (value as Buffer).buffer)
  assert.equal(new Set(memory).size, 2)
})
