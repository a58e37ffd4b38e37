/**
 * One member of a consumer group whose unit of ownership is a partition number: its input topics, its state topic and
 * its transactional id change hands together.
 *
 * A rebalance stops the intake and drains every owner before this member joins again; what stays assigned under the
 * same member id goes on with its connections, since nobody else can have owned it meanwhile. A new member id (the
 * group had given this member up) releases everything first. Whatever goes wrong ends in one place, `#rejoin`: leave,
 * drain once Kafka answers, release, join anew, for as long as it takes.
 *
 * kafkajs starts again at the committed offset after each join, so records can be delivered twice to an owner;
 * `PartitionOwner.accept` must tolerate that (the offset tracker does).
 */
import { setMaxListeners } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { Admin, Consumer, Kafka } from 'kafkajs'
import type { PosthornError } from '../errors.ts'
import type { Awaited } from '../readiness.ts'
import { classifyKafkaError } from './classify-kafka-error.ts'
import { coPartitionAssigner } from './co-partition-assigner.ts'
import type { RecordLoss } from './fit-position.ts'
import { HeldPartition, type Seek } from './held-partition.ts'
import { PartitionLedger } from './partition-ledger.ts'
import type { CreateOwner } from './partition-owner.ts'
import { fromKafkaMessage } from './topic-messages.ts'

export interface GroupMemberEvents {
  joined(partitions: readonly number[]): void
  partitionReady(partition: number): void
  trouble(error: PosthornError): void
  /** Records of an input topic have gone before anybody took them. */
  lost(loss: RecordLoss): void
}

export interface GroupMemberOptions {
  kafka: Kafka
  admin: Admin
  groupId: string
  /** All with the same number of partitions, as `stateTopic`. */
  inputTopics: readonly [string, ...string[]]
  stateTopic: string
  createOwner: CreateOwner
  events: GroupMemberEvents
  /** Silence after which the group gives this member up. */
  sessionTimeoutMs: number
}

const rebalanceTimeoutMs = 60_000
const transactionTimeoutMs = 60_000
/** Time for owners to drain before a rebalance: no heartbeat is sent meanwhile, so part of the session timeout. */
const drainShare = 0.4
/** Time for owners to drain once Kafka answers again: their ledgers may be pausing, and no partition can be lost meanwhile. */
const restartDrainMs = 20_000
/** A process that is told to stop has 20 s in all; before this, the send role may have waited for its servers. */
const stopDrainMs = 9_000
const pause = { firstMs: 100, maxMs: 10_000 }

export class GroupMember {
  readonly #options: GroupMemberOptions
  readonly #topics: string[]
  readonly #consumer: Consumer
  readonly #drainMs: number
  readonly #held = new Map<number, HeldPartition>()
  /** Releases under way: a partition is claimed again only after its last holding is gone. */
  readonly #releasing = new Map<number, Promise<void>>()
  /** Null while outside the group. */
  #memberId: string | null = null
  #lastHeartbeat = 0
  /** From the news of a rebalance, or of a failure, to the join that ends it. */
  #isJoining = false
  #stopping = false
  #mustRestart = false
  #restarting: Promise<void> | null = null

  constructor(options: GroupMemberOptions) {
    this.#options = options
    this.#topics = [...options.inputTopics, options.stateTopic]
    this.#drainMs = options.sessionTimeoutMs * drainShare
    this.#consumer = options.kafka.consumer({
      groupId: options.groupId,
      partitionAssigners: [
        coPartitionAssigner({ owned: () => this.partitions, beforeGivingUp: () => this.#drainAll(this.#drainMs) }),
      ],
      sessionTimeout: options.sessionTimeoutMs,
      rebalanceTimeout: rebalanceTimeoutMs,
      heartbeatInterval: 1_000,
      // A partition that is resumed joins the next fetch, and heartbeats go out between fetches: keep them short.
      maxWaitTimeInMs: 100,
      maxBytesPerPartition: 262_144,
      allowAutoTopicCreation: false,
      readUncommitted: false,
      retry: { initialRetryTime: 100, maxRetryTime: 5_000, retries: 10, restartOnFailure: async () => false },
    })
    const { GROUP_JOIN, HEARTBEAT, REBALANCING, STOP, CRASH } = this.#consumer.events
    this.#consumer.on(GROUP_JOIN, ({ payload }) => this.#onJoin(payload.memberId, payload.memberAssignment))
    this.#consumer.on(HEARTBEAT, () => {
      this.#lastHeartbeat = Date.now()
    })
    this.#consumer.on(REBALANCING, () => void (this.#isJoining = true))
    // Before it tells of a crash, kafkajs stops and disconnects, and lets nobody pause or resume any more.
    this.#consumer.on(STOP, () => {
      this.#memberId = null
    })
    this.#consumer.on(CRASH, ({ payload }) => this.#rejoin(classifyKafkaError(payload.error, 'start')))
  }

  /** Empty: the group is joined, its broker answers, and every owned partition runs and is up to date. */
  get awaited(): Awaited[] {
    const group = this.#options.groupId
    if (this.#memberId === null || this.#isJoining || !this.#isLeaseFresh()) return [{ what: 'group', group }]
    return [...this.#held].flatMap(([partition, { awaited }]) => awaited ?? [{ what: 'partition', group, partition }])
  }

  get partitions(): number[] {
    return [...this.#held.keys()].sort((a, b) => a - b)
  }

  async start(): Promise<void> {
    await this.#consumer.connect()
    await this.#consumer.subscribe({ topics: this.#topics, fromBeginning: true })
    await this.#consumer.run({
      autoCommit: false,
      // One at a time: the handler only hands records over.
      partitionsConsumedConcurrently: 1,
      eachBatch: async ({ batch: { topic, partition, messages } }) => {
        const held = this.#held.get(partition)
        if (held === undefined) return
        const seeks = held.take(
          topic,
          messages.map((message) => fromKafkaMessage(topic, partition, message)),
        )
        if (seeks.length === 0) return
        this.#seek(partition, seeks)
        this.#options.events.partitionReady(partition)
      },
    })
  }

  /** Drains, commits, releases every partition, leaves the group. */
  async stop(): Promise<void> {
    this.#stopping = true
    await this.#restarting
    await this.#drainAll(Math.min(this.#drainMs, stopDrainMs))
    this.#memberId = null
    await this.#releaseAll()
    await this.#consumer.disconnect().catch(() => undefined)
  }

  #onJoin(memberId: string, assignment: Record<string, number[]>): void {
    const assigned = new Set(Object.values(assignment).flat())
    const isSameMember = memberId === this.#memberId
    this.#memberId = memberId
    this.#isJoining = false
    this.#lastHeartbeat = Date.now()
    for (const partition of this.partitions) {
      if (!isSameMember || !assigned.has(partition)) void this.#release(partition)
    }
    for (const partition of assigned) {
      const held = this.#held.get(partition)
      if (held === undefined) this.#hold(partition)
      else held.owner.resume()
      this.#applyFlow(partition)
    }
    this.#options.events.joined(this.partitions)
  }

  #isLeaseFresh(): boolean {
    return Date.now() - this.#lastHeartbeat < this.#options.sessionTimeoutMs
  }

  #hold(partition: number): void {
    const { kafka, admin, groupId, inputTopics, stateTopic, events } = this.#options
    const abort = new AbortController()
    const ledger = new PartitionLedger({
      kafka,
      admin,
      groupId,
      partition,
      inputTopics,
      stateTopic,
      transactionTimeoutMs,
      signal: abort.signal,
      onTrouble: (error) => events.trouble(error),
    })
    const pausedTopics = new Set<string>()
    const owner = this.#options.createOwner({
      partition,
      ledger,
      pause: (topic) => {
        pausedTopics.add(topic)
        this.#applyFlow(partition)
      },
      resume: (topic) => {
        pausedTopics.delete(topic)
        this.#applyFlow(partition)
      },
      rejoin: (reason) => this.#rejoin(reason),
      isLeaseFresh: () => this.#isLeaseFresh(),
    })
    const held = new HeldPartition(owner, ledger, stateTopic, abort, pausedTopics)
    this.#held.set(partition, held)
    void this.#claim(partition, held)
  }

  async #claim(partition: number, held: HeldPartition): Promise<void> {
    const isHeld = () => this.#held.get(partition) === held
    await this.#releasing.get(partition)
    for (let pauseMs = pause.firstMs; isHeld(); pauseMs = Math.min(pauseMs * 2, pause.maxMs)) {
      try {
        const claimed = await held.claim(this.#options.admin)
        for (const loss of claimed?.losses ?? []) this.#options.events.lost(loss)
        if (claimed !== null) this.#seek(partition, [claimed.seek])
        return
      } catch (cause) {
        if (!isHeld()) return
        const error = classifyKafkaError(cause, 'start')
        if (!error.retryable) {
          this.#rejoin(error)
          return
        }
        this.#options.events.trouble(error)
        await delay(pauseMs)
      }
    }
  }

  #seek(partition: number, seeks: readonly Seek[]): void {
    if (this.#memberId === null) return
    for (const { topic, offset } of seeks) this.#consumer.seek({ topic, partition, offset: String(offset) })
    this.#applyFlow(partition)
  }

  /** Makes kafkajs fetch exactly what the partition's phase and its owner's backpressure want. */
  #applyFlow(partition: number): void {
    // Outside a group kafkajs refuses; the next join applies it.
    if (this.#memberId === null) return
    const held = this.#held.get(partition)
    for (const topic of this.#topics) {
      const selection = [{ topic, partitions: [partition] }]
      if (held?.wants(topic) === true) this.#consumer.resume(selection)
      else this.#consumer.pause(selection)
    }
  }

  async #drainAll(longestMs: number): Promise<void> {
    const signal = AbortSignal.timeout(longestMs)
    // Each owner listens to it; Node takes more than ten for a leak.
    setMaxListeners(this.#held.size, signal)
    await Promise.all([...this.#held.values()].map(({ owner }) => owner.drain(signal)))
  }

  async #releaseAll(): Promise<void> {
    for (const partition of this.partitions) void this.#release(partition)
    await Promise.all(this.#releasing.values())
  }

  #release(partition: number): Promise<void> {
    const held = this.#held.get(partition)
    this.#held.delete(partition)
    const released = Promise.resolve(held?.release()).then(() => {
      if (this.#releasing.get(partition) === released) this.#releasing.delete(partition)
    })
    this.#releasing.set(partition, released)
    return released
  }

  #rejoin(reason: PosthornError): void {
    if (this.#stopping) return
    this.#options.events.trouble(reason)
    this.#isJoining = true
    this.#mustRestart = true
    this.#restarting ??= this.#restart()
  }

  async #restart(): Promise<void> {
    let pauseMs = pause.firstMs
    while (this.#mustRestart && !this.#stopping) {
      this.#mustRestart = false
      try {
        await this.#consumer.stop()
        // A join that was under way may have come to its end meanwhile.
        this.#memberId = null
        await this.#consumer.disconnect()
        // Not before Kafka answers can be recorded what is in flight: released earlier, it would be done again.
        await this.#consumer.connect()
        await this.#drainAll(restartDrainMs)
        await this.#releaseAll()
        this.#mustRestart = false
        await this.start()
      } catch (cause) {
        this.#options.events.trouble(classifyKafkaError(cause, 'start'))
        this.#mustRestart = true
      }
      // A crash right after a start that seemed to work arrives as an event and lands here as well.
      if (this.#mustRestart) await delay(pauseMs)
      pauseMs = Math.min(pauseMs * 2, pause.maxMs)
    }
    this.#restarting = null
  }
}
