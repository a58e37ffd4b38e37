/**
 * Keeps kafkajs 2.2.4 from showing records of aborted transactions.
 *
 * A fetch comes with a list of the aborted transactions that reach into it (KIP-98). kafkajs takes one of them from the list
 * for each record that it meets, also where several have begun before the first record: the first records of the others
 * pass as committed. That happens where several producers write to one partition and die together, as the workers of
 * this program do. Here the records are sorted out before kafkajs sees them; they are marked as control records, which it
 * never hands on, so that its offsets advance past them.
 */
import { createRequire } from 'node:module'

export interface FetchedMessage {
  offset: string
  key: Buffer | null
  isControlRecord?: boolean
  batchContext?: { producerId: string; inTransaction: boolean }
}

export interface FetchedPartition {
  messages: FetchedMessage[]
  abortedTransactions?: { producerId: string; firstOffset: string }[] | null
}

interface BrokerClass {
  prototype: { fetch(request: unknown): Promise<{ responses: { partitions: FetchedPartition[] }[] }> }
}

/** Version 0, type 0 (KIP-98): the transaction of this producer ends here, aborted. */
const abortMarker = Buffer.from([0, 0, 0, 0])

export const hideAborted = (partition: FetchedPartition): void => {
  const begins = (partition.abortedTransactions ?? [])
    .map(({ producerId, firstOffset }) => ({ producerId, first: BigInt(firstOffset) }))
    .sort((a, b) => (a.first < b.first ? -1 : 1))
  if (begins.length === 0) return
  const aborted = new Set<string>()
  for (const message of partition.messages) {
    for (let [next] = begins; next !== undefined && next.first <= BigInt(message.offset); [next] = begins) {
      aborted.add(next.producerId)
      begins.shift()
    }
    const { producerId, inTransaction } = message.batchContext ?? { producerId: '', inTransaction: false }
    if (message.isControlRecord === true) {
      if (message.key !== null && abortMarker.equals(message.key)) aborted.delete(producerId)
    } else if (inTransaction && aborted.has(producerId)) {
      message.isControlRecord = true
    }
  }
  partition.abortedTransactions = []
}

let isPatched = false

/** Of the version that package.json pins. Once is enough. */
export const hideAbortedRecords = (): void => {
  if (isPatched) return
  isPatched = true
  const { prototype } = createRequire(import.meta.url)('kafkajs/src/broker') as BrokerClass
  const { fetch } = prototype
  prototype.fetch = async function (request) {
    const response = await fetch.call(this, request)
    for (const { partitions } of response.responses) for (const partition of partitions) hideAborted(partition)
    return response
  }
}
