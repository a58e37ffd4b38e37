import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AccountLanes, laneLimits, patienceMs, type LaneJob } from '../../src/consumers/account-lanes.ts'
import { Slots } from '../../src/consumers/slots.ts'

interface Job extends LaneJob {
  name: string
}

/** Jobs of account `stuck` never end, those of others at once. */
const harness = (configured: number) => {
  let accounts = configured
  let now = 0
  const done: string[] = []
  const slots = new Map<string, Slots>()
  const asked: string[] = []
  const lanes = new AccountLanes<Job>({
    accounts: () => accounts,
    records: laneLimits.records,
    slotsOf: (account) => {
      asked.push(account)
      const found = slots.get(account) ?? new Slots(4)
      slots.set(account, found)
      return found
    },
    run: ({ account, name }) =>
      account === 'stuck' ? new Promise(() => undefined) : Promise.resolve(void done.push(name)),
    onEased: () => undefined,
    now: () => now,
  })
  const push = (account: string, count: number, bytes = 1): boolean[] =>
    Array.from({ length: count }, (_, index) => lanes.push({ account, key: null, bytes, name: `${account}-${index}` }))
  const pass = (ms: number): void => void (now += ms)
  return { lanes, push, done, asked, pass, configure: (count: number) => void (accounts = count) }
}

describe('AccountLanes', () => {
  it('counts what it holds against the intake, until a lane does not move', () => {
    const { lanes, push, pass } = harness(2)
    push('stuck', laneLimits.records)
    assert.ok(lanes.fullness >= 1)
    assert.deepEqual(lanes.relieve(), [], 'not before the patience is over')
    pass(patienceMs + 1)
    const givenBack = lanes.relieve()
    assert.equal(lanes.fullness, 0)
    // Its share are the oldest, in the order in which they came.
    assert.equal(givenBack.length, laneLimits.records - laneLimits.records / 4 + 1)
    assert.deepEqual(
      givenBack.slice(0, 2).map(({ name }) => name),
      [`stuck-${laneLimits.records / 4 - 1}`, `stuck-${laneLimits.records / 4}`],
    )
  })

  it('takes no more for a slow lane that has its share, and goes on with the others', async () => {
    const { lanes, push, done, pass } = harness(2)
    push('stuck', 300)
    pass(patienceMs + 1)
    lanes.relieve()
    assert.deepEqual(push('stuck', 2), [true, false])
    assert.deepEqual(push('free', 1), [true])
    await new Promise(setImmediate)
    assert.deepEqual(done, ['free-0'])
  })

  it('measures the share in bytes as well', () => {
    const { lanes, push, pass } = harness(2)
    push('stuck', 20, 1_048_576)
    pass(patienceMs + 1)
    // 4 run and are not to be stopped; their bytes are more than the share.
    assert.equal(lanes.relieve().length, 16)
  })

  it('leaves a single account alone: there is nobody to be held up', () => {
    const { lanes, push, pass } = harness(1)
    push('stuck', laneLimits.records)
    pass(patienceMs * 10)
    assert.deepEqual(lanes.relieve(), [])
    assert.ok(lanes.fullness >= 1)
  })

  it('lets nobody be held up by the only account there was, once there is another', () => {
    const { lanes, push, pass, configure } = harness(1)
    push('stuck', laneLimits.records)
    pass(patienceMs + 1)
    configure(2)
    assert.ok(lanes.relieve().length > 0)
    assert.equal(lanes.fullness, 0)
  })

  it('keeps nothing of an account that has nothing to do', async () => {
    const { push, asked } = harness(2)
    push('free', 2)
    await new Promise(setImmediate)
    push('free', 1)
    assert.deepEqual(asked, ['free', 'free'])
  })

  it('does not take a lane for slow that stood empty for long', () => {
    const { lanes, push, pass } = harness(2)
    pass(patienceMs * 10)
    push('stuck', 2)
    lanes.relieve()
    assert.ok(lanes.fullness > 0)
  })
})
