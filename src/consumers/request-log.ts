/**
 * What this partition's owner knows of request ids: which were answered within the window, and which deliveries were
 * begun without an outcome under a mode that has to know. Kept in the partition of the state topic, replayed at each
 * claim.
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

/** Written before a delivery begins; met again at a claim, nobody knows its outcome. Takes the place of an answer. */
interface Begun {
  kind: 'begun'
  messageId: string
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

  /**
   * The Message-ID that another record with this request id has, which was answered or begun within the window.
   *
   * @param source of the record that asks
   */
  knownAs(id: string, source: string): string | null {
    const entry = this.#answered.get(id) ?? this.#begun.get(id)
    if (entry === undefined || this.#isOld(entry)) return null
    return entry.kind === 'begun' && entry.source === source ? null : entry.messageId
  }

  /** The Message-ID of this very attempt, which an earlier owner began without leaving an outcome; null: none did. */
  begunAs(id: string, source: string): string | null {
    const entry = this.#begun.get(id)
    return entry?.source === source ? entry.messageId : null
  }

  /** Remembers the answer at once; the record that is returned has to be committed with it. */
  answer(id: string, messageId: string): OutgoingRecord {
    const entry: Answered = { kind: 'answered', messageId, at: this.#options.now() }
    this.#remember(id, entry)
    return this.#record(id, entry)
  }

  /** The record that has to be committed before the delivery begins. */
  begin(id: string, source: string, messageId: string): OutgoingRecord {
    return this.#record(id, { kind: 'begun', source, messageId, at: this.#options.now() })
  }

  /** Nothing was sent for this id: it may come again. The record that is returned has to be committed. */
  forget(id: string): OutgoingRecord {
    this.#answered.delete(id)
    this.#begun.delete(id)
    return this.#record(id, null)
  }

  #record(id: string, entry: Entry | null): OutgoingRecord {
    const { stateTopic, partition } = this.#options
    const value = entry === null ? null : Buffer.from(JSON.stringify(entry), 'utf8')
    return { topic: stateTopic, partition, key: `${keyPrefix}${id}`, value }
  }

  #remember(id: string, entry: Entry): void {
    this.#begun.delete(id)
    this.#answered.delete(id)
    if (entry.kind === 'begun') {
      this.#begun.set(id, entry)
      return
    }
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
