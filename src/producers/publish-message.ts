/**
 * From messages of an open folder to the records that publish them: fetch, take apart, store, build. Nothing is
 * committed here. A message that can't be read becomes a dead letter with a reference to its raw bytes, one that the
 * server or the store refuses is reported as failed, and the others go on; an object store or a server that can't be
 * reached stops the batch, for it says nothing about the message.
 */
import type { RecordCodec } from '../avro/codec.ts'
import type { ObjectRef } from '../avro/records.ts'
import type { TopicsConfig } from '../config/config.ts'
import { PosthornError, toPosthornError } from '../errors.ts'
import type { Emit } from '../events.ts'
import { deadLetterHeaders } from '../kafka/dead-letter.ts'
import { header, type OutgoingRecord, type RecordHeader } from '../kafka/records.ts'
import type { Mailbox, MessageSummary } from '../mail/mailbox.ts'
import type { MessagePlace } from '../mail/object-key.ts'
import type { ByteBudget } from './byte-budget.ts'
import { buildInboundMessage, buildInboundRecord, type ServerFacts } from './build-inbound-message.ts'
import { buildDedupeId } from './dedupe-id.ts'
import { keepMoving } from './keep-moving.ts'
import { blame } from './pending-messages.ts'
import type { MessageStore, StoredMessage } from './store-message.ts'

export interface PublisherDependencies {
  account: string
  /** The names of all that are configured now. */
  accounts: () => readonly string[]
  folder: string
  store: MessageStore
  codec: RecordCodec
  topics: TopicsConfig
  maxMessageBytes: number
  /** Of the whole process. */
  budget: ByteBudget
  /** How long a server may be silent while others wait for its share of the budget, besides the time for its bytes. */
  patienceMs: number
  emit: Emit
  now: () => number
}

export interface Prepared {
  /** In the order of the UIDs. */
  records: OutgoingRecord[]
  /** UIDs that are published, without those of dead letters. */
  published: number[]
  /** Refused, perhaps not for good. */
  failed: { uid: number; error: PosthornError }[]
}

/** Up to this size a message is fetched whole. */
export const streamAboveBytes = 8 * 1_048_576

/** What comes at once of a message that is streamed. */
const sliceBytes = 1_048_576

/** A slow line carries so much. */
const slowestBytesPerMs = 256

/** From this size on a record may be larger than the broker takes (`max.message.bytes` is 1 MB by default). */
const largeRecordBytes = 512 * 1024

/** A failure of the message itself, which another try would meet again. */
const isUnreadable = ({ code }: PosthornError): boolean =>
  code === 'MESSAGE_UNPARSABLE' || code === 'MESSAGE_TOO_LARGE' || code === 'RECORD_INVALID'

export class MessagePublisher {
  readonly #deps: PublisherDependencies

  constructor(deps: PublisherDependencies) {
    this.#deps = deps
  }

  /**
   * @param signal aborted: memory is not waited for any more
   * @param redelivery the records say that a command asked for them, and carry these headers of it; null: nobody asked
   * @throws PosthornError retryable: nothing is lost, come back later
   */
  async prepare(
    mailbox: Mailbox,
    uidValidity: number,
    batch: readonly MessageSummary[],
    signal: AbortSignal,
    redelivery: readonly RecordHeader[] | null = null,
  ): Promise<Prepared> {
    const records = new Map<number, OutgoingRecord>()
    const published: number[] = []
    const failed: Prepared['failed'] = []
    const handle = async (
      summary: MessageSummary,
      isHere: boolean,
      store: () => Promise<StoredMessage | null>,
      raw: () => Promise<ObjectRef>,
    ) => {
      const { uid } = summary
      try {
        const stored = await store()
        if (stored === null) return
        records.set(uid, await this.#build(this.#facts(summary, uidValidity), stored, raw, redelivery))
        published.push(uid)
      } catch (cause) {
        const error = toPosthornError(cause, 'parse')
        if (isUnreadable(error)) {
          records.set(uid, this.deadLetter(uidValidity, uid, error, 1, await raw()))
          return
        }
        // With the bytes in hand, what nobody foresaw is not the connection's doing.
        if (blame(error) !== 'message' && !(isHere && error.code === 'INTERNAL')) throw error
        failed.push({ uid, error })
      }
    }

    const { store, maxMessageBytes, budget } = this.#deps
    const place = (uid: number) => this.#place(uidValidity, uid)
    const byUid = new Map(batch.filter(({ size }) => size <= streamAboveBytes).map((summary) => [summary.uid, summary]))
    const bytes = [...byUid.values()].reduce((sum, { size }) => sum + size, 0)
    await budget.hold(bytes, signal, async () => {
      const storing: Promise<void>[] = []
      const largest = Math.max(...[...byUid.values()].map(({ size }) => size))
      for await (const { uid, raw } of this.#keepMoving(mailbox, largest, mailbox.fetchRaw([...byUid.keys()]))) {
        const summary = byUid.get(uid)
        if (summary === undefined) continue
        byUid.delete(uid)
        const stored = handle(
          summary,
          true,
          () => store.storeWhole(place(uid), raw),
          () => store.storeRaw(place(uid), raw),
        )
        stored.catch(() => undefined)
        storing.push(stored)
      }
      await Promise.all(storing)
    })
    failed.push(...(await this.#unanswered(mailbox, [...byUid.keys()])))
    for (const summary of batch) {
      const { uid, size } = summary
      if (size <= streamAboveBytes) continue
      const open = () => this.#keepMoving(mailbox, sliceBytes, mailbox.streamRaw(uid, size))
      const storeMessage = () =>
        size > maxMessageBytes ? refuseSize(size, maxMessageBytes) : store.storeStream(place(uid), open)
      await budget.hold(store.streamedBytes, signal, () =>
        handle(summary, false, storeMessage, () => store.storeRawStream(place(uid), open())),
      )
    }
    return {
      records: [...records].sort(([a], [b]) => a - b).map(([, record]) => record),
      published: published.sort((a, b) => a - b),
      failed,
    }
  }

  /** @param bytes of the largest item */
  #keepMoving<T>(mailbox: Mailbox, bytes: number, items: AsyncIterable<T>): AsyncIterable<T> {
    const { budget, patienceMs } = this.#deps
    return keepMoving(items, {
      isWanted: () => budget.isWanted,
      patienceMs: patienceMs + bytes / slowestBytesPerMs,
      giveUp: () => void mailbox.close(),
    })
  }

  /**
   * The dead letter of a message that failed too often. It names the raw bytes where they can be had.
   *
   * @param size null: the server does not describe the message
   */
  async bury(
    mailbox: Mailbox,
    uidValidity: number,
    { uid, size }: { uid: number; size: number | null },
    error: PosthornError,
    attempts: number,
  ): Promise<OutgoingRecord> {
    let raw: ObjectRef | null = null
    try {
      const content = mailbox.streamRaw(uid, size ?? 1)
      raw = await this.#deps.store.storeRawStream(this.#place(uidValidity, uid), content)
    } catch (cause) {
      const trouble = toPosthornError(cause, 'store')
      if (blame(trouble) === 'outage') throw trouble
    }
    return this.deadLetter(uidValidity, uid, error, attempts, raw)
  }

  /** Messages that did not come but are there. */
  async #unanswered(mailbox: Mailbox, uids: readonly number[]): Promise<Prepared['failed']> {
    if (uids.length === 0) return []
    const present = new Set(await mailbox.searchUids({}, Math.min(...uids), Math.max(...uids)))
    const error = new PosthornError('IMAP_COMMAND_FAILED', 'the server does not hand the message out', {
      stage: 'fetch',
    })
    return uids.filter((uid) => present.has(uid)).map((uid) => ({ uid, error }))
  }

  async #build(
    facts: ServerFacts,
    { parsed, stored }: StoredMessage,
    raw: () => Promise<ObjectRef>,
    redelivery: readonly RecordHeader[] | null,
  ): Promise<OutgoingRecord> {
    const { codec, topics } = this.#deps
    const message = buildInboundMessage(facts, parsed, stored, this.#deps.accounts())
    const value = await codec.encode('InboundMessage', message, topics.inbound)
    const record = buildInboundRecord(topics.inbound, message, value, redelivery)
    if (value.length < largeRecordBytes) return record
    const error = new PosthornError('RECORD_TOO_LARGE', `the record has ${value.length} bytes`, {
      stage: 'publish',
      action: "Raise the topic's max.message.bytes and redeliver the message.",
    })
    const letter = this.deadLetter(facts.uidValidity, facts.uid, error, 1, stored.raw ?? (await raw()))
    const headers = [...(record.headers ?? []), ...(letter.headers ?? [])]
    return { ...record, insteadWhenTooLarge: { ...letter, headers } }
  }

  /** @param raw null: its bytes could not be had */
  deadLetter(
    uidValidity: number,
    uid: number,
    error: PosthornError,
    attempts: number,
    raw: ObjectRef | null,
  ): OutgoingRecord {
    const { account, folder, topics, emit, now } = this.#deps
    const dedupeId = buildDedupeId(account, folder, uidValidity, uid)
    if (error.code !== 'RECORD_TOO_LARGE') {
      emit({ type: 'RecordDeadLettered', source: dedupeId, code: error.code, message: error.message })
    }
    const reference =
      raw === null ? [] : [header('dead-letter-raw-bucket', raw.bucket), header('dead-letter-raw-key', raw.key)]
    const facts = { topic: topics.deadLetters, attempts, at: now() }
    const headers = [...deadLetterHeaders(dedupeId, error, facts), ...reference]
    return { topic: topics.deadLetters, key: dedupeId, value: null, headers }
  }

  #place(uidValidity: number, uid: number): MessagePlace {
    const { account, folder } = this.#deps
    return { account, folder, uidValidity, uid }
  }

  #facts({ uid, size, flags, receivedAtMs, emailId, threadId }: MessageSummary, uidValidity: number): ServerFacts {
    const { account, folder } = this.#deps
    return { account, folder, uidValidity, uid, emailId, threadId, receivedAt: receivedAtMs, size, flags }
  }
}

const refuseSize = (size: number, most: number): never => {
  throw new PosthornError('MESSAGE_TOO_LARGE', `the message has ${size} bytes, limits.maxMessageBytes is ${most}`, {
    stage: 'fetch',
    action: 'Raise limits.maxMessageBytes and redeliver the message.',
  })
}
