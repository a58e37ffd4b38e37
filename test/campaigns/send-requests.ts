/** What a campaign publishes: all kinds of requests that end in different ways, some of them twice. */
import type { SendRequestInput } from '../../src/avro/records.ts'
import type { OutgoingRecord } from '../../src/kafka/records.ts'
import { codec } from '../support/kafka.ts'

export type Kind = 'plain' | 'later' | 'reject' | 'once'

export interface Published {
  id: string
  kind: Kind
  /** Records with this id. */
  copies: number
}

const kindOf = (random: () => number): Kind => {
  const pick = random()
  if (pick < 0.05) return 'later'
  if (pick < 0.08) return 'reject'
  return pick < 0.18 ? 'once' : 'plain'
}

export interface Workload {
  published: Map<string, Published>
  records: OutgoingRecord[]
}

/** Half of them have a key; one in fifty comes twice, without a key and in any partition. */
export const makeWorkload = async (
  count: number,
  topic: string,
  partitions: number,
  random: () => number,
): Promise<Workload> => {
  const published = new Map<string, Published>()
  const records: OutgoingRecord[] = []
  for (let index = 0; index < count; index += 1) {
    const id = `r-${index}`
    const kind = kindOf(random)
    const request: SendRequestInput = {
      id,
      account: 'main',
      to: [`${kind}-${index}@example.com`],
      subject: `request ${index}`,
      text: 'x'.repeat(1_500),
      headers: { 'X-Request': id },
      delivery: kind === 'once' ? 'AT_MOST_ONCE' : 'AT_LEAST_ONCE',
    }
    const value = await codec.encode('SendRequest', request, topic)
    const copies = random() < 0.02 ? 2 : 1
    const isKeyed = copies === 1 && random() < 0.5
    for (let copy = 0; copy < copies; copy += 1) {
      const place = isKeyed ? {} : { partition: Math.floor(random() * partitions) }
      records.push({ topic, key: isKeyed ? `k-${index % 100}` : null, value, ...place })
    }
    published.set(id, { id, kind, copies })
  }
  return { published, records }
}
