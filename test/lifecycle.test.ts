import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { withReleasers, type Releasers } from '../src/lifecycle.ts'

describe('withReleasers', () => {
  it('keeps what was acquired until it is released, in reverse, once, whatever fails', async () => {
    const released: number[] = []
    const releasers = await withReleasers(async (releasers) => {
      for (const id of [1, 2, 3]) {
        releasers.add(() => {
          released.push(id)
          if (id === 2) throw new Error('stuck')
        })
      }
      return releasers
    })
    assert.deepEqual(released, [])
    await assert.rejects(releasers.releaseAll(), AggregateError)
    await releasers.releaseAll().catch(() => undefined)
    assert.deepEqual(released, [3, 2, 1])
  })

  it('releases what there is when the acquisition fails half-way', async () => {
    const released: string[] = []
    const failing = withReleasers(async (releasers) => {
      releasers.add(() => released.push('first'))
      await Promise.reject(new Error('no second'))
    })
    await assert.rejects(failing, /no second/)
    assert.deepEqual(released, ['first'])
  })

  it('gives up an acquisition at the signal, and what it acquires later is refused', async () => {
    const released: string[] = []
    const abort = new AbortController()
    let acquiring: Releasers | undefined
    const interrupted = withReleasers(async (releasers) => {
      acquiring = releasers
      releasers.add(() => released.push('first'))
      await new Promise(() => undefined)
    }, abort.signal)
    abort.abort(new Error('stop'))
    await assert.rejects(interrupted, /stop/)
    assert.deepEqual(released, ['first'])
    assert.throws(() => acquiring?.add(() => undefined), /nothing can be acquired/)
  })
})
