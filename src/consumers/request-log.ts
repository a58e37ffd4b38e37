/**
 * What this partition's owner knows of request ids: which were answered within the window, and which deliveries were
 * begun under AT_MOST_ONCE without an outcome. Kept in the partition of the state topic, replayed at each claim.
 *
 * Bounded: entries older than the window are forgotten, and the oldest first when there are more than `maxIds`.
 */
import type { ConsumedRecord, OutgoingRecord } from '../kafka/records.ts'

interface Answered {
  kind: 'answered'
  messageId: string
  /** Milliseconds since the epoch. */
  at: number
}

/** Written before an AT_MOST_ONCE delivery begins: met again at a claim, the outcome is unknown for ever. */
interface Begun {
  kind: 'begun'
  /** `topic/partition/offset` of the record whose attempt this is. */
  source: string
  at: number
}

type Entry = Answered | Begun

export interface RequestLogOptions {
  stateTopic: string
  partition: number
  windowMs: number
  maxIds: number
  now: () => number
}

/** Keeps request ids apart from any other key of the state topic. */
const keyPrefix = 'request:'

export class RequestLog {
  readonly #options: RequestLogOptions
  /** In the order of their time, as Map keeps insertion order. */
  readonly #answered = new Map<string, Answered>()
  readonly #begun = new Map<string, Begun>()

  constructor(options: RequestLogOptions) {
    this.#options = options
  }

  replay({ key, value }: ConsumedRecord): void {
    const text = key?.toString('utf8') ?? ''
    if (!text.startsWith(keyPrefix)) return
    const id = text.slice(keyPrefix.length)
    if (value === null) {
      this.#answered.delete(id)
      this.#begun.delete(id)
      return
    }
    this.#remember(id, JSON.parse(value.toString('utf8')) as Entry)
  }

  /** The Message-ID under which this request id was answered within the window. */
  answeredAs(id: string): string | null {
    const entry = this.#answered.get(id)
    return entry === undefined || this.#isOld(entry) ? null : entry.messageId
  }

  /** True when an earlier owner began this very attempt and left no outcome. */
  wasBegun(id: string, source: string): boolean {
    return this.#begun.get(id)?.source === source
  }

  /** Remembers the answer at once; the record that is returned has to be committed with it. */
  answer(id: string, messageId: string): OutgoingRecord {
    const entry: Answered = { kind: 'answered', messageId, at: this.#options.now() }
    this.#remember(id, entry)
    return this.#record(id, entry)
  }

  /** The record that has to be committed before the delivery begins. */
  begin(id: string, source: string): OutgoingRecord {
    return this.#record(id, { kind: 'begun', source, at: this.#options.now() })
  }

  #record(id: string, entry: Entry): OutgoingRecord {
    const { stateTopic, partition } = this.#options
    return { topic: stateTopic, partition, key: `${keyPrefix}${id}`, value: Buffer.from(JSON.stringify(entry), 'utf8') }
  }

  #remember(id: string, entry: Entry): void {
    this.#begun.delete(id)
    if (entry.kind === 'begun') {
      this.#begun.set(id, entry)
      return
    }
    this.#answered.delete(id)
    this.#answered.set(id, entry)
    for (const [oldest, { at }] of this.#answered) {
      if (this.#answered.size <= this.#options.maxIds && at >= this.#options.now() - this.#options.windowMs) break
      this.#answered.delete(oldest)
    }
  }

  #isOld({ at }: Entry): boolean {
    return at < this.#options.now() - this.#options.windowMs
  }
}
