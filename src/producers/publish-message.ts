/**
 * From messages of an open folder to the records that publish them: fetch, take apart, store, build. Nothing is
 * committed here. A message that can't be read becomes a dead letter with a reference to its raw bytes, and the others
 * go on; an object store or a server that can't be reached stops the batch, for it says nothing about the message.
 */
import type { RecordCodec } from '../avro/codec.ts'
import type { ObjectRef } from '../avro/records.ts'
import type { TopicsConfig } from '../config/config.ts'
import { PosthornError, toPosthornError } from '../errors.ts'
import type { Emit } from '../events.ts'
import { deadLetterHeaders } from '../kafka/dead-letter.ts'
import { header, type OutgoingRecord } from '../kafka/records.ts'
import type { Mailbox, MessageSummary } from '../mail/mailbox.ts'
import { buildInboundMessage, buildInboundRecord, type ServerFacts } from './build-inbound-message.ts'
import { buildDedupeId } from './dedupe-id.ts'
import type { MessageStore, StoredMessage } from './store-message.ts'

export interface PublisherDependencies {
  account: string
  folder: string
  store: MessageStore
  codec: RecordCodec
  topics: TopicsConfig
  maxMessageBytes: number
  /** `select.hasAttachment`: only the parsed message can tell. Null: not asked. */
  hasAttachment: boolean | null
  emit: Emit
  now: () => number
}

export interface Prepared {
  /** In the order of the UIDs. */
  records: OutgoingRecord[]
  /** UIDs that are published, without those of dead letters. */
  published: number[]
}

/** Up to this size a message is fetched whole. */
export const streamAboveBytes = 8 * 1_048_576

/** A failure of the message itself, which another try would meet again. */
const isOfMessage = ({ code }: PosthornError): boolean =>
  code === 'MESSAGE_UNPARSABLE' || code === 'MESSAGE_TOO_LARGE' || code === 'RECORD_INVALID' || code === 'INTERNAL'

export class MessagePublisher {
  readonly #deps: PublisherDependencies

  constructor(deps: PublisherDependencies) {
    this.#deps = deps
  }

  /**
   * @param redelivered the records say that a command asked for them
   * @throws PosthornError retryable: nothing is lost, come back later
   */
  async prepare(
    mailbox: Mailbox,
    uidValidity: number,
    batch: readonly MessageSummary[],
    redelivered = false,
  ): Promise<Prepared> {
    const records = new Map<number, OutgoingRecord>()
    const published: number[] = []
    const add = (summary: MessageSummary, record: OutgoingRecord | null, isMessage: boolean) => {
      if (record === null) return
      records.set(summary.uid, record)
      if (isMessage) published.push(summary.uid)
    }
    const handle = async (
      summary: MessageSummary,
      store: () => Promise<StoredMessage>,
      raw: () => Promise<ObjectRef>,
    ) => {
      const facts = this.#facts(summary, uidValidity)
      try {
        add(summary, await this.#build(facts, await store(), redelivered), true)
      } catch (cause) {
        const error = toPosthornError(cause, 'parse')
        if (!isOfMessage(error)) throw error
        add(summary, this.#deadLetter(facts, error, await raw()), false)
      }
    }

    const place = (uid: number) => ({ account: this.#deps.account, folder: this.#deps.folder, uidValidity, uid })
    const { store, maxMessageBytes } = this.#deps
    const byUid = new Map(batch.filter(({ size }) => size <= streamAboveBytes).map((summary) => [summary.uid, summary]))
    const storing: Promise<void>[] = []
    for await (const { uid, raw } of mailbox.fetchRaw([...byUid.keys()])) {
      const summary = byUid.get(uid)
      if (summary === undefined) continue
      const stored = handle(
        summary,
        () => store.storeWhole(place(uid), raw),
        () => store.storeRaw(place(uid), raw),
      )
      stored.catch(() => undefined)
      storing.push(stored)
    }
    await Promise.all(storing)
    for (const summary of batch) {
      const { uid, size } = summary
      if (size <= streamAboveBytes) continue
      const open = () => mailbox.streamRaw(uid, size)
      const storeMessage = () =>
        size > maxMessageBytes ? refuseSize(size, maxMessageBytes) : store.storeStream(place(uid), open)
      await handle(summary, storeMessage, () => store.storeRawStream(place(uid), open()))
    }
    return {
      records: [...records].sort(([a], [b]) => a - b).map(([, record]) => record),
      published: published.sort((a, b) => a - b),
    }
  }

  /** Null: the parsed message does not match the rule after all. */
  async #build(
    facts: ServerFacts,
    { parsed, stored }: StoredMessage,
    redelivered: boolean,
  ): Promise<OutgoingRecord | null> {
    const { codec, topics, hasAttachment } = this.#deps
    if (!redelivered && hasAttachment !== null && stored.attachments.length > 0 !== hasAttachment) return null
    const message = buildInboundMessage(facts, parsed, stored)
    return buildInboundRecord(
      topics.inbound,
      message,
      await codec.encode('InboundMessage', message, topics.inbound),
      redelivered,
    )
  }

  #deadLetter(
    { account, folder, uidValidity, uid }: ServerFacts,
    error: PosthornError,
    raw: ObjectRef,
  ): OutgoingRecord {
    const { topics, emit, now } = this.#deps
    const dedupeId = buildDedupeId(account, folder, uidValidity, uid)
    emit({ type: 'RecordDeadLettered', source: dedupeId, code: error.code, message: error.message })
    const facts = { topic: topics.deadLetters, attempts: 1, at: now() }
    return {
      topic: topics.deadLetters,
      key: dedupeId,
      value: null,
      headers: [
        ...deadLetterHeaders(dedupeId, error, facts),
        header('dead-letter-raw-bucket', raw.bucket),
        header('dead-letter-raw-key', raw.key),
      ],
    }
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
