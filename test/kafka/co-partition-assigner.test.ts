import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Cluster } from 'kafkajs'
import { assignPartitions, coPartitionAssigner } from '../../src/kafka/co-partition-assigner.ts'

describe('assignPartitions', () => {
  it('gives a newcomer its share and leaves the rest where it is', () => {
    const assignment = assignPartitions(4, [
      { memberId: 'old', owned: [0, 1, 2, 3] },
      { memberId: 'new', owned: [] },
    ])
    assert.deepEqual(Object.fromEntries(assignment), { old: [0, 1], new: [2, 3] })
  })

  it('gives everything to the one member that is left', () => {
    assert.deepEqual([...assignPartitions(3, [{ memberId: 'a', owned: [1] }])], [['a', [0, 1, 2]]])
  })

  it('assigns every partition once, evenly, whatever the members claim and in whatever order they come', () => {
    const claims = fc.uniqueArray(
      fc.record({ memberId: fc.uuid(), owned: fc.array(fc.integer({ min: -2, max: 40 }), { maxLength: 40 }) }),
      { selector: ({ memberId }) => memberId, minLength: 1, maxLength: 8 },
    )
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 32 }), claims, (count, members) => {
        const assignment = assignPartitions(count, members)
        const all = [...assignment.values()].flat().sort((a, b) => a - b)
        assert.deepEqual(
          all,
          Array.from({ length: count }, (_, partition) => partition),
        )
        const loads = [...assignment.values()].map((load) => load.length)
        assert.ok(Math.max(...loads) - Math.min(...loads) <= 1, `uneven: ${loads.join(' ')}`)
        assert.deepEqual(assignPartitions(count, members.toReversed()), assignment)
      }),
    )
  })

  it('moves nothing when the claims are balanced and complete', () => {
    const claims = [
      { memberId: 'b', owned: [0, 3, 5] },
      { memberId: 'a', owned: [1, 2, 4] },
    ]
    assert.deepEqual(Object.fromEntries(assignPartitions(6, claims)), { a: [1, 2, 4], b: [0, 3, 5] })
  })
})

describe('coPartitionAssigner', () => {
  it('waits before this member joins or leaves its group, and lets kafkajs commit nothing', async () => {
    const calls: string[] = []
    const call = (name: string) => async () => void calls.push(name)
    const coordinator = { joinGroup: call('join'), leaveGroup: call('leave'), offsetCommit: call('commit') }
    const cluster = { findGroupCoordinator: async () => coordinator }
    const hooks = { owned: () => [], beforeGivingUp: call('drained') }
    coPartitionAssigner(hooks)({ cluster: cluster as unknown as Cluster, groupId: 'g' })
    const find = cluster.findGroupCoordinator as (request: { groupId: string }) => Promise<typeof coordinator>
    await (await find({ groupId: 'g' })).joinGroup()
    await find({ groupId: 'another' })
    await (await find({ groupId: 'g' })).leaveGroup()
    assert.deepEqual(calls, ['drained', 'join', 'drained', 'drained', 'leave'])
    await assert.rejects(coordinator.offsetCommit(), /not in the topic any more/)
  })
})
