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
      for await (const part of cutParts(from(given), partBytes)) parts.push(part)
      assert.ok(Buffer.concat(parts).equals(Buffer.concat(given)))
      assert.ok(parts.slice(0, -1).every(({ length }) => length === partBytes))
      const last = parts.at(-1)?.length ?? -1
      const isEmpty = given.every(({ length }) => length === 0)
      assert.ok(isEmpty ? last === 0 && parts.length === 1 : last > 0 && last <= partBytes)
    }),
  )
})

it('a part is not written to after it was handed out', async () => {
  const parts = cutParts(from([Buffer.from('aab'), Buffer.from('bcc')]), 2)
  const first = await parts.next()
  await parts.next()
  await parts.next()
  assert.equal(String(first.value), 'aa')
})
