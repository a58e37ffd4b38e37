/** Wires the send flow: the accounts' outboxes are shared by all partitions, the rest is one for each. */
import { randomUUID } from 'node:crypto'
import type { Accounts } from '../accounts.ts'
import type { RecordCodec } from '../avro/codec.ts'
import type { Config } from '../config/config.ts'
import { buildOversizeDeadLetter } from '../kafka/dead-letter.ts'
import type { CreateOwner } from '../kafka/partition-owner.ts'
import { sendStateTopic, sendStepsTopic } from '../config/derived-topics.ts'
import type { OutboxDependencies } from './account-outbox.ts'
import { laneLimits } from './account-lanes.ts'
import { Outboxes } from './outboxes.ts'
import { RequestLog } from './request-log.ts'
import { SendMail } from './send-mail.ts'
import { SendPartition } from './send-partition.ts'
import { VerdictWriter } from './send-verdict.ts'
import { Slots } from './slots.ts'

export interface SendOwnerDependencies extends OutboxDependencies {
  config: Config
  accounts: Accounts
  codec: RecordCodec
  /** Of the requests topic, and so of all that go with it. */
  partitionCount: number
}

export interface SendOwners {
  createOwner: CreateOwner
  /**
   * Begins nothing new, lets deliveries finish for some seconds and breaks the others off, all while results can still be
   * committed.
   */
  stop: () => Promise<void>
}

/** A transaction waits for no more than this part of what may be in flight: the rest keeps the connections busy. */
const gatherShare = 8

/** Longer than a server needs that works, and well within the 20 s after which the process must have gone. */
const stopGraceMs = 8_000

/** What a worker takes from, the anchor of its commits first. */
export const sendInputTopics = ({ kafka: { topics }, send }: Config): [string, ...string[]] => [
  topics.sendRequests,
  sendStepsTopic(topics),
  ...send.retry.tiers.map(({ topic }) => topic),
]

export const createSendOwner = (deps: SendOwnerDependencies): SendOwners => {
  const { config, accounts, codec, emit, now, partitionCount } = deps
  const { topics } = config.kafka
  const { retry, concurrency, dedupeMaxIds, dedupeWindowMs } = config.send
  // Node keeps random bytes for UUIDs in stock: a tenth of the price.
  const randomToken = () => randomUUID().replaceAll('-', '')
  const partitions = new Set<SendPartition>()
  const outboxes = new Outboxes(accounts, deps)
  const slots = new Map<string, Slots>()
  // Requests for accounts that don't exist are refused at once.
  const slotsOfNobody = new Slots(concurrency)
  const slotsOf = (account: string): Slots => {
    if (outboxes.get(account) === null) return slots.get(account) ?? slotsOfNobody
    const own = slots.get(account) ?? new Slots(concurrency)
    slots.set(account, own)
    return own
  }
  const flow = new SendMail({
    codec,
    verdicts: new VerdictWriter({ codec, topics, emit, now }),
    outbox: (account) => outboxes.get(account),
    sendRequestsTopic: topics.sendRequests,
    partitionCount,
    retry,
    now,
    randomToken,
  })
  return {
    createOwner: (context) => {
      const partition = new SendPartition(context, flow, {
        accounts: () => outboxes.count,
        records: Math.max(laneLimits.records, 2 * concurrency),
        slotsOf,
        inputTopics: sendInputTopics(config),
        onHeld: () => outboxes.withdraw(),
        onReleased: (underWay) => {
          partitions.delete(partition)
          if (underWay > 0) emit({ type: 'DeliveriesAbandoned', partition: context.partition, deliveries: underWay })
        },
        gather: Math.ceil(concurrency / gatherShare),
        log: new RequestLog({
          stateTopic: sendStateTopic(topics),
          partition: context.partition,
          windowMs: dedupeWindowMs,
          maxIds: Math.ceil(dedupeMaxIds / partitionCount),
          now,
        }),
        replaceTooLarge: (record, error) =>
          record.insteadWhenTooLarge ??
          buildOversizeDeadLetter(record, error, { topic: topics.deadLetters, attempts: 1, at: now() }),
        now,
      })
      partitions.add(partition)
      return partition
    },
    stop: async () => {
      for (const partition of partitions) partition.hold()
      await outboxes.close(stopGraceMs)
    },
  }
}
