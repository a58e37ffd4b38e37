/**
 * The token topic as a process has it: everything that was ever stored, read from the beginning and followed to its end,
 * and a way to add to it. All records are in partition 0, so that their order is one for all.
 *
 * Keys are JSON arrays: `[account, direction, grant]` for tokens, `[account, direction, "#"]` for claims and revocations,
 * `["#sync"]` for the marks by which a process knows that it has read everything before. So compaction keeps the newest
 * tokens of each grant, and a claim never takes the place of tokens.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'

import { Backoff } from '../backoff.ts'
import { PosthornError, toPosthornError } from '../errors.ts'
import type { RecordProducer } from '../kafka/record-producer.ts'
import type { ConsumedRecord } from '../kafka/records.ts'
import { applyEntry, applyRemoval, applyUnreadable, noLogin, type LoginEntry, type LoginState } from './login-log.ts'
import type { TokenCipher } from './token-cipher.ts'

/** Whose tokens: the account, and the direction under which its OAuth 2.0 client is configured. */
export interface LoginName {
  account: string
  owner: string
}

export interface TokenTopicOptions {
  topic: string
  /** All records of the topic from the beginning, and those that come. */
  read: () => Promise<AsyncIterable<ConsumedRecord> & { close(): Promise<void> }>
  producer: RecordProducer
  cipher: TokenCipher
  /** `worker` tries again for as long as it takes; `command` tells its user what is wrong. */
  patience: 'worker' | 'command'
  onTrouble: (error: PosthornError) => void
  /** Milliseconds since the epoch. */
  now: () => number
  /** 0 (inclusive) to 1 (exclusive). */
  random: () => number
}

const partition = 0
const syncKey = JSON.stringify(['#sync'])
const claimPart = '#'
/** A claim that is older was not made by anybody who is still at it, however far clocks are apart. */
const longAgoMs = 2 * 60_000
const backoffBounds = { firstMs: 200, maxMs: 10_000 }

const idOf = ({ account, owner }: LoginName): string => JSON.stringify([account, owner])

export class TokenTopic {
  readonly #options: TokenTopicOptions
  readonly #states = new Map<string, LoginState>()
  readonly #abort = new AbortController()
  readonly #listeners = new Set<() => void>()
  /** By id: the writes that wait to be read back. */
  readonly #awaited = new Map<string, { resolve: () => void; reject: (error: PosthornError) => void }>()
  readonly #following: Promise<void>
  #reader: { close(): Promise<void> } | null = null
  #ready: Promise<void> | null = null
  #readTo = -1

  constructor(options: TokenTopicOptions) {
    this.#options = options
    this.#following = this.#follow()
  }

  stateOf(login: LoginName): LoginState {
    return this.#states.get(idOf(login)) ?? noLogin
  }

  /** Resolves when everything that was stored before the first call has been read. @throws PosthornError */
  ready(): Promise<void> {
    this.#ready ??= this.#writeAndRead(syncKey, (id) => Buffer.from(id, 'utf8'))
    return this.#ready
  }

  /**
   * Stores an entry. Resolves when Kafka has acknowledged it and it was read back, with everything before it. An entry
   * whose acknowledgement was lost may be there twice, which changes nothing.
   *
   * @throws PosthornError `STOPPED`; with the patience of a command whatever Kafka says
   */
  append(login: LoginName, entry: LoginEntry): Promise<void> {
    const last = entry.kind === 'tokens' ? entry.grantId : claimPart
    const key = JSON.stringify([login.account, login.owner, last])
    return this.#writeAndRead(key, (id) => this.#options.cipher.seal(key, JSON.stringify({ ...entry, id })))
  }

  /** A tombstone for the tokens of a grant that another one has taken the place of. */
  remove(login: LoginName, grantId: string): Promise<void> {
    return this.#write(JSON.stringify([login.account, login.owner, grantId]), null)
  }

  /** Calls back after each record. @returns how to end it */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  async close(): Promise<void> {
    this.#abort.abort()
    for (const { reject } of this.#awaited.values()) reject(stopped())
    await this.#reader?.close()
    await this.#following
    await this.#options.producer.close()
  }

  async #writeAndRead(key: string, valueOf: (id: string) => Buffer): Promise<void> {
    const id = randomUUID()
    const seen = new Promise<void>((resolve, reject) => this.#awaited.set(id, { resolve, reject }))
    // The write may fail first, and then nobody looks at this.
    seen.catch(() => undefined)
    try {
      await this.#write(key, valueOf(id))
      await seen
    } finally {
      this.#awaited.delete(id)
    }
  }

  async #write(key: string, value: Buffer | null): Promise<void> {
    const { topic, producer, random } = this.#options
    const backoff = new Backoff({ ...backoffBounds, random })
    while (!this.#abort.signal.aborted) {
      try {
        return await producer.send([{ topic, partition, key, value }])
      } catch (cause) {
        await this.#pause(backoff, toPosthornError(cause, 'publish'))
      }
    }
    throw stopped()
  }

  async #follow(): Promise<void> {
    const backoff = new Backoff({ ...backoffBounds, random: this.#options.random })
    while (!this.#abort.signal.aborted) {
      try {
        const reader = await this.#options.read()
        this.#reader = reader
        // Closed while it was opened: nobody else knows of this reader.
        if (this.#abort.signal.aborted) return await reader.close()
        for await (const record of reader) {
          this.#apply(record)
          backoff.reset()
          if (this.#abort.signal.aborted) return
        }
      } catch (cause) {
        const error = toPosthornError(cause, 'fetch')
        await this.#pause(backoff, error).catch(() => {
          for (const { reject } of this.#awaited.values()) reject(error)
        })
      }
    }
  }

  async #pause(backoff: Backoff, error: PosthornError): Promise<void> {
    const { signal } = this.#abort
    if (signal.aborted) return
    if (this.#options.patience === 'command') {
      this.#abort.abort()
      throw error
    }
    this.#options.onTrouble(error)
    await delay(backoff.next(), undefined, { signal }).catch(() => undefined)
  }

  /** A reader that was opened anew begins from the beginning: what was applied is passed over. */
  #apply({ partition: from, offset, timestamp, key, value }: ConsumedRecord): void {
    if (from !== partition || offset <= this.#readTo || key === null) return
    this.#readTo = offset
    const text = key.toString('utf8')
    if (text === syncKey) return this.#awaited.get(value?.toString('utf8') ?? '')?.resolve()
    const name = readKey(text)
    if (name === null) return
    const [account, owner, last] = name
    const { cipher, now } = this.#options
    const state = this.stateOf({ account, owner })
    const opened = value === null ? null : cipher.open(text, value)
    const entry = opened === null ? null : (JSON.parse(opened) as LoginEntry & { id: string })
    let next = state
    if (value === null) next = applyRemoval(state, last)
    else if (entry !== null) next = applyEntry(state, entry, offset, now() - timestamp > longAgoMs ? timestamp : now())
    else if (last !== claimPart) next = applyUnreadable()
    this.#states.set(idOf({ account, owner }), next)
    if (entry !== null) this.#awaited.get(entry.id)?.resolve()
    for (const listener of this.#listeners) listener()
  }
}

const readKey = (text: string): [account: string, owner: string, last: string] | null => {
  try {
    const [account, owner, last] = JSON.parse(text) as unknown[]
    const isName = typeof account === 'string' && typeof owner === 'string' && typeof last === 'string'
    return isName ? [account, owner, last] : null
  } catch {
    return null
  }
}

const stopped = (): PosthornError =>
  new PosthornError('STOPPED', 'Posthorn stopped before the tokens were stored', { stage: 'stop', retryable: true })
