/** Wires the send flow: the accounts' outboxes are shared by all partitions, the rest is one for each. */
import { randomBytes } from 'node:crypto'
import type { RecordCodec } from '../avro/codec.ts'
import type { Config } from '../config/config.ts'
import { buildOversizeDeadLetter } from '../kafka/dead-letter.ts'
import type { CreateOwner } from '../kafka/partition-owner.ts'
import { sendStateTopic } from '../kafka/topic-plan.ts'
import { AccountOutbox, type OutboxDependencies } from './account-outbox.ts'
import { RequestLog } from './request-log.ts'
import { SendMail } from './send-mail.ts'
import { SendPartition } from './send-partition.ts'
import { VerdictWriter } from './send-verdict.ts'

export interface SendOwnerDependencies extends Omit<OutboxDependencies, 'randomToken'> {
  config: Config
  codec: RecordCodec
}

/** What is under way when the process stops has been drained before; connections are not waited for any longer. */
const closeGraceMs = 1_000

export const createSendOwner = (
  deps: SendOwnerDependencies,
): { createOwner: CreateOwner; close: () => Promise<void> } => {
  const { config, codec, emit, now } = deps
  const { topics } = config.kafka
  const { retry, concurrency, dedupeMaxIds, dedupeWindowMs } = config.send
  const randomToken = () => randomBytes(16).toString('hex')
  const outboxes = new Map<string, AccountOutbox>()
  for (const account of Object.values(config.accounts)) {
    if (account.smtp !== null)
      outboxes.set(account.name, new AccountOutbox(account, account.smtp, { ...deps, randomToken }))
  }
  const flow = new SendMail({
    codec,
    verdicts: new VerdictWriter({ codec, topics, emit, now }),
    outbox: (account) => outboxes.get(account) ?? null,
    sendRequestsTopic: topics.sendRequests,
    retry,
    now,
  })
  const inputTopics = [topics.sendRequests, ...retry.tiers.map(({ topic }) => topic)]
  return {
    createOwner: (context) =>
      new SendPartition(context, flow, {
        concurrency,
        inputTopics,
        log: new RequestLog({
          stateTopic: sendStateTopic(topics),
          partition: context.partition,
          windowMs: dedupeWindowMs,
          maxIds: dedupeMaxIds,
          now,
        }),
        replaceTooLarge: (record, error) =>
          buildOversizeDeadLetter(record, error, { topic: topics.deadLetters, attempts: 1, at: now() }),
        now,
      }),
    close: async () => {
      await Promise.all([...outboxes.values()].map((outbox) => outbox.close(closeGraceMs)))
    },
  }
}
