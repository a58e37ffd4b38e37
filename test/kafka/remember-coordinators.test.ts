import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Kafka } from 'kafkajs'
import { rememberCoordinators } from '../../src/kafka/remember-coordinators.ts'

/** kafkajs's client as far as it matters: a hidden factory of clusters that ask. */
const setUp = () => {
  const asked: string[] = []
  const answers: (() => Promise<unknown>)[] = []
  const createCluster = Symbol('private:Kafka:createCluster')
  const kafka = {
    [createCluster]: () => ({
      findGroupCoordinatorMetadata: ({ groupId, coordinatorType }: { groupId: string; coordinatorType: number }) => {
        asked.push(`${groupId}/${coordinatorType}`)
        return answers.shift()?.() ?? Promise.resolve(`coordinator ${asked.length}`)
      },
    }),
  }
  const clock = { now: 0 }
  rememberCoordinators(kafka as unknown as Kafka, () => clock.now)
  const newCluster = () => {
    const { findGroupCoordinatorMetadata: ask } = kafka[createCluster]()
    return (groupId: string, coordinatorType = 1) => ask({ groupId, coordinatorType })
  }
  return { asked, answers, clock, newCluster }
}

describe('rememberCoordinators', () => {
  it('asks once a second, for each group and kind apart', async () => {
    const { asked, clock, newCluster } = setUp()
    const ask = newCluster()
    assert.equal(await ask('a'), 'coordinator 1')
    clock.now = 999
    assert.equal(await ask('a'), 'coordinator 1')
    await ask('b')
    await ask('a', 0)
    clock.now = 1_000
    assert.equal(await ask('a'), 'coordinator 4')
    assert.deepEqual(asked, ['a/1', 'b/1', 'a/0', 'a/1'])
  })

  it('remembers no failure', async () => {
    const { answers, newCluster } = setUp()
    answers.push(() => Promise.reject(new Error('no broker')))
    const ask = newCluster()
    await assert.rejects(ask('a'), /no broker/)
    assert.equal(await ask('a'), 'coordinator 2')
  })

  it('keeps apart what different clients were told', async () => {
    const { asked, newCluster } = setUp()
    await newCluster()('a')
    await newCluster()('a')
    assert.equal(asked.length, 2)
  })

  it('refuses another client library than the one whose inside it knows', () => {
    assert.throws(() => rememberCoordinators({} as Kafka), /kafkajs 2\.2\.4/)
  })
})
