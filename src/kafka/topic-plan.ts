/**
 * The topics that a configuration needs, and what an existing topic must be like (pure).
 *
 * Topics of one `group` share the number of partitions: whoever owns partition p of one owns p of all, and a record's
 * key hashes to the same p in each.
 */
import type { Config } from '../config/config.ts'
import { sendStateTopic, sendStepsTopic } from '../config/derived-topics.ts'
import { anyPersonLogin } from '../config/person-logins.ts'

export type TopicRole =
  | 'sendRequests'
  | 'sendRetries'
  | 'sendSteps'
  | 'sendState'
  | 'sendResults'
  | 'inbound'
  | 'commands'
  | 'checkpoints'
  | 'commandResults'
  | 'deadLetters'
  | 'oauthTokens'

export type CleanupPolicy = 'delete' | 'compact' | 'compact,delete'

export interface TopicPlan {
  role: TopicRole
  name: string
  /** Of a new topic, unless an existing topic of the same group has another number. */
  partitions: number
  /** Of a new topic. Null: the broker's default. */
  replication: number | null
  cleanup: CleanupPolicy
  /** Policies with which an existing topic works, in any order of their parts. */
  suitableCleanups: readonly CleanupPolicy[]
  /** Why others don't; ends a sentence. */
  cleanupReason: string
  /** Topics that must have the same number of partitions; null: any number will do. */
  group: 'send' | 'mailbox' | null
  /** Largest record batch in bytes (`max.message.bytes`) of a new topic. */
  maxMessageBytes: number
  /** How long a new topic keeps a record at least, milliseconds (`retention.ms`). Null: the broker's default. */
  retentionMs: number | null
  /** An existing topic that keeps records for less can't work, and why; ends a sentence. Null: any time will do. */
  neededRetention: { ms: number; reason: string } | null
  /** Where records are kept for less than this, milliseconds, a worker that is away for as long loses mail. */
  safeRetentionMs: number | null
  /** What an existing topic must take at least, where that is what another topic takes: its role. */
  carries: TopicRole | null
}

export interface ExistingTopic {
  name: string
  partitions: number
  replication: number
  /** As the broker says it: the parts joined by commas. */
  cleanup: string
  minInsyncReplicas: number | null
  maxMessageBytes: number | null
  /** Milliseconds; null: for ever, or not known. */
  retentionMs: number | null
  /** Whether every partition has a leader and can be used. */
  isLed: boolean
}

export interface TopicProblem {
  topic: string
  problem: string
  action: string
}

const mebibyte = 1_048_576
/** A request may carry its attachments. */
const requestBytes = 10 * mebibyte
/** A line for each recipient, whatever the server said to it. */
const resultBytes = 4 * mebibyte
/** What a retry or a dead letter adds in headers to the source's own bytes. */
const headroomBytes = mebibyte
/** Everything of an inbound record but its two bodies: header fields, addresses, attachment list. */
const inboundEnvelopeBytes = 2 * mebibyte

const lastingOnly = ['compact'] as const
const plainOnly = ['delete'] as const
const any = ['delete', 'compact', 'compact,delete'] as const
const wouldDropRecords = 'compaction would drop records that share a key'
const wouldForget = 'deletion by age would drop entries that still count'

const weekMs = 7 * 24 * 60 * 60_000

/** For topics in which something waits: a broker's default may be hours, and what it drops is lost mail or known ids. */
const keptFor = (neededMs: number): number => Math.max(weekMs, 2 * neededMs)

/** @returns one plan for each topic, no two with the same name */
export const planTopics = ({
  kafka: { topics },
  send,
  limits,
  accounts,
}: Pick<Config, 'kafka' | 'send' | 'limits' | 'accounts'>): TopicPlan[] => {
  const plan = (role: TopicRole, name: string, rest: Partial<TopicPlan> = {}): TopicPlan => ({
    role,
    name,
    partitions: topics.partitions,
    replication: topics.replication,
    cleanup: 'delete',
    suitableCleanups: plainOnly,
    cleanupReason: wouldDropRecords,
    group: null,
    maxMessageBytes: mebibyte,
    retentionMs: null,
    neededRetention: null,
    safeRetentionMs: null,
    carries: null,
    ...rest,
  })
  const lasting = { cleanup: 'compact', suitableCleanups: lastingOnly, cleanupReason: wouldForget } as const
  const longestWaitMs = Math.max(...send.retry.tiers.map(({ delayMs }) => delayMs))
  const retry = {
    group: 'send',
    maxMessageBytes: requestBytes + headroomBytes,
    retentionMs: keptFor(longestWaitMs),
    safeRetentionMs: send.retry.maxAgeMs,
    carries: 'sendRequests',
  } as const
  const rememberedMs = Math.max(send.dedupeWindowMs, send.retry.maxAgeMs)
  return [
    plan('sendRequests', topics.sendRequests, {
      group: 'send',
      maxMessageBytes: requestBytes,
      safeRetentionMs: send.retry.maxAgeMs,
    }),
    ...send.retry.tiers.map(({ topic, label, delayMs }) =>
      plan('sendRetries', topic, {
        ...retry,
        neededRetention: { ms: delayMs, reason: `requests wait ${label} in it and would be deleted before` },
      }),
    ),
    plan('sendSteps', sendStepsTopic(topics), retry),
    plan('sendState', sendStateTopic(topics), {
      group: 'send',
      cleanup: 'compact,delete',
      suitableCleanups: ['compact', 'compact,delete'],
      cleanupReason: 'without compaction it grows without end',
      retentionMs: keptFor(rememberedMs),
      neededRetention: { ms: rememberedMs, reason: 'request ids would be forgotten while they still count' },
    }),
    plan('sendResults', topics.sendResults, { suitableCleanups: any, maxMessageBytes: resultBytes }),
    plan('inbound', topics.inbound, {
      suitableCleanups: any,
      maxMessageBytes: inboundEnvelopeBytes + 2 * limits.maxInlineBodyBytes,
    }),
    plan('commands', topics.commands, { group: 'mailbox' }),
    plan('checkpoints', topics.checkpoints, { ...lasting, group: 'mailbox' }),
    plan('commandResults', topics.commandResults, { suitableCleanups: any }),
    plan('deadLetters', topics.deadLetters, { maxMessageBytes: requestBytes + 2 * headroomBytes }),
    // One partition: the order of its records decides who refreshes.
    ...(anyPersonLogin(accounts) ? [plan('oauthTokens', topics.oauthTokens, { ...lasting, partitions: 1 })] : []),
  ]
}

const sortParts = (cleanup: string): string =>
  cleanup
    .split(',')
    .map((part) => part.trim())
    .sort()
    .join(',')

const cleanupProblem = (plan: TopicPlan, existing: ExistingTopic): TopicProblem[] => {
  if (plan.suitableCleanups.some((suitable) => sortParts(suitable) === sortParts(existing.cleanup))) return []
  return [
    {
      topic: plan.name,
      problem: `has cleanup.policy=${existing.cleanup}, which does not suit ${plan.role}: ${plan.cleanupReason}`,
      action: `Set cleanup.policy=${plan.cleanup} on ${plan.name}, or name another topic under kafka.topics.${plan.role}.`,
    },
  ]
}

const countProblem = (plan: TopicPlan, existing: ExistingTopic, anchor: ExistingTopic | undefined): TopicProblem[] => {
  if (anchor === undefined || anchor.partitions === existing.partitions) return []
  return [
    {
      topic: plan.name,
      problem: `has ${existing.partitions} partitions and ${anchor.name} has ${anchor.partitions}: they must have the same number`,
      action: `Give both topics the same number of partitions, or name another topic under kafka.topics.${plan.role}.`,
    },
  ]
}

const retentionProblem = (plan: TopicPlan, existing: ExistingTopic): TopicProblem[] => {
  const { neededRetention: needed } = plan
  if (needed === null || existing.retentionMs === null || existing.retentionMs >= needed.ms) return []
  if (!existing.cleanup.includes('delete')) return []
  return [
    {
      topic: plan.name,
      problem: `has retention.ms=${existing.retentionMs}, less than ${needed.ms}: ${needed.reason}`,
      action: `Set retention.ms=${plan.retentionMs ?? needed.ms} on ${plan.name}.`,
    },
  ]
}

const sizeProblem = (plan: TopicPlan, existing: ExistingTopic, carried: ExistingTopic | undefined): TopicProblem[] => {
  const [own, needed] = [existing.maxMessageBytes, carried?.maxMessageBytes ?? null]
  if (carried === undefined || own === null || needed === null || own >= needed) return []
  return [
    {
      topic: plan.name,
      problem: `has max.message.bytes=${own} and ${carried.name} has ${needed}: what is taken from there would not fit`,
      action: `Set max.message.bytes=${needed + headroomBytes} on ${plan.name}.`,
    },
  ]
}

const carriedBy = (
  { carries }: TopicPlan,
  plans: readonly TopicPlan[],
  existing: ReadonlyMap<string, ExistingTopic>,
): ExistingTopic | undefined => existing.get(plans.find(({ role }) => role === carries)?.name ?? '')

/** The first existing topic of a plan's group, in the order of the plans: the others are measured by it. */
const anchorOf = (
  plan: TopicPlan,
  plans: readonly TopicPlan[],
  existing: ReadonlyMap<string, ExistingTopic>,
): ExistingTopic | undefined => {
  if (plan.group === null) return undefined
  const anchor = plans.find(({ group, name }) => group === plan.group && existing.has(name))
  return anchor === undefined ? undefined : existing.get(anchor.name)
}

/** @returns why existing topics can't work; empty: they can */
export const findTopicProblems = (
  plans: readonly TopicPlan[],
  existing: ReadonlyMap<string, ExistingTopic>,
): TopicProblem[] =>
  plans.flatMap((plan) => {
    const found = existing.get(plan.name)
    if (found === undefined) return []
    return [
      ...cleanupProblem(plan, found),
      ...countProblem(plan, found, anchorOf(plan, plans, existing)),
      ...retentionProblem(plan, found),
      ...sizeProblem(plan, found, carriedBy(plan, plans, existing)),
    ]
  })

/** @returns what existing topics may lose one day, though they work */
export const findTopicRisks = (
  plans: readonly TopicPlan[],
  existing: ReadonlyMap<string, ExistingTopic>,
): TopicProblem[] =>
  plans.flatMap(({ name, safeRetentionMs }) => {
    const kept = existing.get(name)?.retentionMs ?? Number.POSITIVE_INFINITY
    if (safeRetentionMs === null || kept >= safeRetentionMs) return []
    return [
      {
        topic: name,
        problem: `has retention.ms=${kept}, less than send.retry.maxAge: what no worker takes for so long is lost`,
        action: `Set retention.ms=${keptFor(safeRetentionMs)} on ${name}, or a shorter send.retry.maxAge.`,
      },
    ]
  })

/**
 * @returns the plans of the topics to be made, with as many partitions as an existing topic of their group has, and taking
 *   what an existing topic gives them to carry
 */
export const missingTopics = (plans: readonly TopicPlan[], existing: ReadonlyMap<string, ExistingTopic>): TopicPlan[] =>
  plans
    .filter(({ name }) => !existing.has(name))
    .map((plan) => {
      const carriedBytes = carriedBy(plan, plans, existing)?.maxMessageBytes ?? 0
      return {
        ...plan,
        partitions: anchorOf(plan, plans, existing)?.partitions ?? plan.partitions,
        maxMessageBytes: carriedBytes <= plan.maxMessageBytes ? plan.maxMessageBytes : carriedBytes + headroomBytes,
      }
    })
