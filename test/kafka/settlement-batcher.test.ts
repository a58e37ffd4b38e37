import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isPosthornError, PosthornError } from '../../src/errors.ts'
import { OffsetTracker } from '../../src/kafka/offset-tracker.ts'
import type { Ledger, Positions } from '../../src/kafka/partition-ledger.ts'
import type { OutgoingRecord } from '../../src/kafka/records.ts'
import { SettlementBatcher, type Gather, type Settlement } from '../../src/kafka/settlement-batcher.ts'

/** Commits when told to, with the outcome that it is told. */
class FakeLedger implements Ledger {
  readonly partition = 0
  readonly commits: { values: string[]; positions: Positions }[] = []
  #waiting: { resolve: () => void; reject: (error: Error) => void }[] = []

  commit(records: readonly OutgoingRecord[], positions: Positions): Promise<void> {
    assert.equal(this.#waiting.length, 0, 'one transaction at a time')
    this.commits.push({ values: records.map(({ value }) => String(value)), positions })
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  /** Resolves when so many have begun. */
  async begun(count: number): Promise<void> {
    while (this.commits.length < count) await new Promise(setImmediate)
  }

  /** Ends the transaction that is under way, when there is one. */
  async end(error?: Error): Promise<void> {
    // A batch begins in the turn after its first settlement.
    for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate)
    const waiting = this.#waiting.shift()
    assert.ok(waiting, 'no transaction is under way')
    if (error === undefined) waiting.resolve()
    else waiting.reject(error)
    await new Promise(setImmediate)
  }
}

const setUp = (accepted = 10, gather?: Gather) => {
  const ledger = new FakeLedger()
  const tracker = new OffsetTracker({ offset: 0, settled: [] })
  for (let offset = 0; offset < accepted; offset += 1) tracker.accept(offset)
  const failures: PosthornError[] = []
  const batcher = new SettlementBatcher({
    ledger,
    trackers: new Map([['in', tracker]]),
    replaceTooLarge: (record) => ({ ...record, value: Buffer.from(`small ${String(record.key)}`) }),
    onFailed: (error) => failures.push(error),
    ...(gather === undefined ? {} : { gather }),
  })
  return { ledger, tracker, batcher, failures }
}

const record = (key: string, value = key): OutgoingRecord => ({ topic: 'out', key, value: Buffer.from(value) })
const settlement = (offset: number, value = `r${offset}`): Settlement => ({
  records: [record(String(offset), value)],
  source: { topic: 'in', offset },
})
const positionOf = (positions: Positions | undefined) => positions?.get('in')
const fenced = () => new PosthornError('KAFKA_FENCED', 'a newer owner', { stage: 'publish' })
const tooLarge = () => new PosthornError('RECORD_TOO_LARGE', 'too large', { stage: 'publish' })

describe('SettlementBatcher', () => {
  it('puts what settles in one turn into one transaction, and what comes meanwhile into the next', async () => {
    const { ledger, batcher } = setUp()
    const first = [batcher.add(settlement(0)), batcher.add(settlement(1))]
    await new Promise(setImmediate)
    const second = [batcher.add(settlement(2)), batcher.add(settlement(4))]
    await ledger.end()
    await Promise.all(first)
    await ledger.end()
    await Promise.all(second)
    assert.deepEqual(
      ledger.commits.map(({ values }) => values),
      [
        ['r0', 'r1'],
        ['r2', 'r4'],
      ],
    )
    assert.deepEqual(positionOf(ledger.commits[0]?.positions), { offset: 2, settled: [] })
    assert.deepEqual(positionOf(ledger.commits[1]?.positions), { offset: 3, settled: [[4, 4]] })
  })

  describe('gathering', () => {
    const valuesOf = ({ commits }: FakeLedger) => commits.map(({ values }) => values)
    /** Ends a first transaction; the next one may wait for long. */
    const afterOne = async (gather: Gather) => {
      const { ledger, batcher } = setUp(10, gather)
      const first = batcher.add(settlement(0))
      await ledger.end()
      await first
      return { ledger, batcher }
    }
    const minute = 60_000

    it('makes the first one after a quiet time wait for nothing, and the next until there are enough', async () => {
      const { ledger, batcher } = await afterOne({ settlements: 2, intervalMs: minute, underWay: () => 9 })
      const next = [batcher.add(settlement(1))]
      for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate)
      assert.deepEqual(valuesOf(ledger), [['r0']])
      next.push(batcher.add(settlement(2)))
      await ledger.end()
      await Promise.all(next)
      assert.deepEqual(valuesOf(ledger), [['r0'], ['r1', 'r2']])
    })

    it('does not wait when everything that is under way is there', async () => {
      const { ledger, batcher } = await afterOne({ settlements: 8, intervalMs: minute, underWay: () => 1 })
      const next = batcher.add(settlement(1))
      await ledger.end()
      await next
      assert.deepEqual(valuesOf(ledger), [['r0'], ['r1']])
    })

    it('waits no longer than the interval', async () => {
      const { ledger, batcher } = await afterOne({ settlements: 8, intervalMs: 20, underWay: () => 9 })
      const next = batcher.add(settlement(1))
      await ledger.begun(2)
      await ledger.end()
      await next
      assert.deepEqual(valuesOf(ledger), [['r0'], ['r1']])
    })
  })

  it('tells nobody that a settlement is committed before it is', async () => {
    const { ledger, tracker, batcher } = setUp()
    let told = false
    const added = batcher.add(settlement(0)).then(() => (told = true))
    await new Promise(setImmediate)
    await new Promise(setImmediate)
    assert.equal(told, false)
    assert.equal(tracker.committable().offset, 0, 'the tracker learns it only then')
    await ledger.end()
    await added
    assert.equal(tracker.committable().offset, 1)
  })

  it('commits records on their own without moving a position', async () => {
    const { ledger, batcher } = setUp()
    const added = batcher.add({ records: [record('intent')], source: null })
    await ledger.end()
    await added
    assert.equal(positionOf(ledger.commits[0]?.positions)?.offset, 0)
  })

  it('commits nothing any more once a commit has failed, and says so once', async () => {
    const { ledger, tracker, batcher, failures } = setUp()
    const isFenced = (error: unknown): boolean => isPosthornError(error) && error.code === 'KAFKA_FENCED'
    const first = assert.rejects(batcher.add(settlement(0)), isFenced)
    await new Promise(setImmediate)
    const second = assert.rejects(batcher.add(settlement(1)), isFenced)
    await ledger.end(fenced())
    await Promise.all([first, second])
    await assert.rejects(batcher.add(settlement(2)), isFenced)
    assert.equal(ledger.commits.length, 1)
    assert.equal(batcher.hasFailed, true)
    assert.deepEqual(
      failures.map(({ code }) => code),
      ['KAFKA_FENCED'],
    )
    assert.equal(tracker.committable().offset, 0)
  })

  it('replaces the largest record, then the next, until the broker takes the batch', async () => {
    const { ledger, batcher } = setUp()
    const added = [
      batcher.add(settlement(0, 'x'.repeat(50))),
      batcher.add(settlement(1)),
      batcher.add(settlement(2, 'y'.repeat(40))),
    ]
    await ledger.end(tooLarge())
    await ledger.end(tooLarge())
    await ledger.end()
    await Promise.all(added)
    assert.deepEqual(ledger.commits.at(-1)?.values, ['small 0', 'r1', 'small 2'])
    assert.equal(positionOf(ledger.commits.at(-1)?.positions)?.offset, 3)
  })

  it('keeps transactions within 500 records', async () => {
    const { ledger, batcher } = setUp(600)
    const added = Array.from({ length: 600 }, (_, offset) => batcher.add(settlement(offset)))
    await ledger.end()
    await ledger.end()
    await Promise.all(added)
    assert.deepEqual(
      ledger.commits.map(({ values }) => values.length),
      [500, 100],
    )
  })

  it('commits every settlement exactly once, whatever the order and the pauses', async () => {
    const order = fc.shuffledSubarray(
      Array.from({ length: 12 }, (_, at) => at),
      { minLength: 12 },
    )
    await fc.assert(
      fc.asyncProperty(order, fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }), async (offsets, pauses) => {
        const { ledger, batcher } = setUp(12)
        const committed: number[] = []
        for (const [at, offset] of offsets.entries()) {
          void batcher.add(settlement(offset)).then(() => committed.push(offset))
          if (pauses[at] === true) await ledger.end()
        }
        while (committed.length < 12) await ledger.end()
        assert.deepEqual(
          ledger.commits.flatMap(({ values }) => values).sort(),
          offsets.map((each) => `r${each}`).sort(),
        )
        assert.deepEqual(positionOf(ledger.commits.at(-1)?.positions), { offset: 12, settled: [] })
      }),
      { numRuns: 50 },
    )
  })
})
