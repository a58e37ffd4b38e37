/**
 * kafkajs 2.2.4 asks the cluster who coordinates a group or a transaction before nearly every request to it: four of the
 * nine requests of a transaction. Here the answer serves for a second. A coordinator that has moved answers
 * NOT_COORDINATOR or not at all, which is tried again as any failure, and then with a fresh answer.
 */
import type { Kafka } from 'kafkajs'

interface CoordinatorQuery {
  groupId: string
  coordinatorType: number
}

interface CoordinatedCluster {
  findGroupCoordinatorMetadata(query: CoordinatorQuery): Promise<unknown>
}
type CreateCluster = (options: unknown) => CoordinatedCluster

/** Short against the pauses of whoever tries again, long against a transaction. */
const freshMs = 1_000

/** @param now milliseconds, monotonic */
const remember = (cluster: CoordinatedCluster, now: () => number): CoordinatedCluster => {
  const ask = cluster.findGroupCoordinatorMetadata.bind(cluster)
  const answers = new Map<string, { answer: Promise<unknown>; until: number }>()
  cluster.findGroupCoordinatorMetadata = (query) => {
    const key = `${query.coordinatorType} ${query.groupId}`
    const known = answers.get(key)
    if (known !== undefined && now() < known.until) return known.answer
    const answer = ask(query)
    answers.set(key, { answer, until: now() + freshMs })
    answer.catch(() => answers.delete(key))
    return answer
  }
  return cluster
}

/** Every producer, consumer and admin that this client makes from now on remembers coordinators, each on its own. */
export const rememberCoordinators = (kafka: Kafka, now: () => number = () => performance.now()): void => {
  const symbol = Object.getOwnPropertySymbols(kafka).find(
    ({ description }) => description === 'private:Kafka:createCluster',
  )
  if (symbol === undefined) throw new Error('this is not kafkajs 2.2.4')
  const internals = kafka as unknown as Record<symbol, CreateCluster>
  const createCluster = internals[symbol]
  if (createCluster !== undefined) internals[symbol] = (options) => remember(createCluster(options), now)
}
