import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { WorkGate } from '../../src/producers/work-gate.ts'

const open = new AbortController().signal

/** A step that a test ends by hand. */
const step = () => {
  let end = () => {}
  const ended = new Promise<void>((resolve) => {
    end = resolve
  })
  return { end, work: () => ended }
}

describe('WorkGate', () => {
  it('closes only when the steps inside have ended', async () => {
    const gate = new WorkGate()
    const { end, work } = step()
    const passing = gate.pass(open, work)
    let isClosed = false
    const closing = gate.close().then(() => {
      isClosed = true
    })
    await turn()
    assert.equal(isClosed, false)
    end()
    await Promise.all([passing, closing])
    assert.equal(isClosed, true)
  })

  it('lets nothing in while it is closed, and everything that waited once it is open', async () => {
    const gate = new WorkGate()
    await gate.close()
    const entered: number[] = []
    const waiting = [1, 2].map((n) => gate.pass(open, async () => entered.push(n)))
    await turn()
    assert.deepEqual(entered, [])
    gate.open()
    await Promise.all(waiting)
    assert.deepEqual(entered, [1, 2])
  })

  it('does not keep an aborted step waiting', async () => {
    const gate = new WorkGate()
    await gate.close()
    const abort = new AbortController()
    const waiting = gate.pass(abort.signal, async () => assert.fail('entered'))
    abort.abort(new Error('released'))
    await assert.rejects(waiting, /released/)
  })

  it('can be closed again after a step that failed', async () => {
    const gate = new WorkGate()
    const failing = gate.pass(open, async () => {
      throw new Error('broken')
    })
    await assert.rejects(failing, /broken/)
    await gate.close()
  })

  it('tells when it closes, and who asks later that it is closed', async () => {
    const gate = new WorkGate()
    const told: string[] = []
    const end = gate.onClose(() => told.push('ended'))
    gate.onClose(() => told.push('before'))
    end()
    await gate.close()
    gate.onClose(() => told.push('after'))
    assert.deepEqual(told, ['before', 'after'])
  })
})
