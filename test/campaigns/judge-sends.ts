/** The oracle of the kill campaign (pure): what must hold of results and deliveries, whatever was killed when. */
import type { SendResult } from '../../src/avro/records.ts'
import type { Delivery } from './mail-sink.ts'
import type { Published } from './send-requests.ts'

export interface Evidence {
  published: ReadonlyMap<string, Published>
  /** All, as a committed reader gets them. */
  results: readonly SendResult[]
  deliveries: readonly Delivery[]
  /** Lives of workers that a kill ended, as `worker/life`. */
  killed: ReadonlySet<string>
  /** Most sends in flight in one worker. */
  concurrency: number
}

export interface Verdict {
  /** Each breaks a promise; empty: all hold. */
  violations: string[]
  requests: number
  deliveries: number
  repeated: number
  /** Most repeats that one kill caused. */
  repeatedByOneKill: number
  indeterminate: number
}

export const isFinal = ({ status }: SendResult): boolean => status !== 'DEFERRED'

/** The record that a result answers. */
export const sourceOfResult = ({ topic, partition, offset }: SendResult): string => `${topic}/${partition}/${offset}`

export const judge = (evidence: Evidence): Verdict => {
  const { published, results, deliveries, killed, concurrency } = evidence
  const violations: string[] = []
  const resultsOf = groupBy(results, ({ id }) => id)
  const deliveriesOf = groupBy(deliveries, ({ id }) => id)

  for (const [source, answers] of groupBy(results.filter(isFinal), sourceOfResult)) {
    if (answers.length !== 1) violations.push(`${source} has ${answers.length} final results`)
  }
  for (const { id, kind, copies } of published.values()) {
    const all = resultsOf.get(id) ?? []
    const finals = all.filter(isFinal)
    const [own, ...others] = finals.filter(({ status }) => status !== 'DUPLICATE')
    const sent = deliveriesOf.get(id)?.length ?? 0
    if (finals.length !== copies) violations.push(`${id}: ${copies} records, ${finals.length} final results`)
    if (own === undefined || others.length > 0) {
      violations.push(`${id}: ${others.length + (own === undefined ? 0 : 1)} results that are no DUPLICATE`)
      continue
    }
    const expected = kind === 'reject' ? ['REJECTED'] : kind === 'once' ? ['DELIVERED', 'INDETERMINATE'] : ['DELIVERED']
    if (!expected.includes(own.status)) violations.push(`${id} (${kind}) is ${own.status}`)
    if (all.length - finals.length !== own.attempt - 1)
      violations.push(`${id}: attempt ${own.attempt} without its DEFERRED`)
    if (finals.some(({ messageId }) => messageId !== own.messageId)) violations.push(`${id} has two Message-IDs`)
    if (own.status === 'DELIVERED' && sent === 0) violations.push(`${id} is DELIVERED and was not`)
    if (own.status === 'REJECTED' && sent > 0) violations.push(`${id} is REJECTED and was delivered`)
    if (kind === 'once' && sent > 1) violations.push(`${id} (AT_MOST_ONCE) was delivered ${sent} times`)
  }
  const repeats = new Map<string, number>()
  for (const [id, ofOne] of deliveriesOf) {
    if (!published.has(id)) violations.push(`a mail without a request: ${JSON.stringify(id)}`)
    // The kill that ended the life which delivered it first is why it was delivered again.
    for (const { worker, life } of ofOne.slice(0, -1)) {
      const cause = `${worker}/${life}`
      repeats.set(cause, (repeats.get(cause) ?? 0) + 1)
      if (!killed.has(cause)) violations.push(`${id} was repeated though worker ${cause} was not killed`)
    }
  }
  for (const [cause, count] of repeats) {
    if (count > concurrency)
      violations.push(`kill of ${cause}: ${count} repeats, ${concurrency} sends in flight at most`)
  }
  return {
    violations,
    requests: published.size,
    deliveries: deliveries.length,
    repeated: [...repeats.values()].reduce((sum, count) => sum + count, 0),
    repeatedByOneKill: Math.max(0, ...repeats.values()),
    indeterminate: results.filter(({ status }) => status === 'INDETERMINATE').length,
  }
}

const groupBy = <T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> => {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const group = groups.get(keyOf(item))
    if (group === undefined) groups.set(keyOf(item), [item])
    else group.push(item)
  }
  return groups
}
