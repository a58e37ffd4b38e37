import { describeTopics, ensureTopics } from '../kafka/topics.ts'
import { findTopicProblems, findTopicRisks, planTopics } from '../kafka/topic-plan.ts'
import { toTable } from './printable.ts'
import { brokersOption, jsonOption } from './shared-options.ts'
import type { Register } from './context.ts'

interface TopicsOptions {
  json?: boolean
}

export const registerTopics: Register = (program, context) => {
  const topics = program.command('topics').description('the topics of the configuration')

  topics
    .command('create')
    .description('create those that are missing and check the others')
    .addOption(brokersOption())
    .addOption(jsonOption())
    .action(async ({ json }: TopicsOptions) => {
      const plans = planTopics(context.config())
      const created = await ensureTopics(await context.kafka().admin(), plans)
      const existing = plans.map(({ name }) => name).filter((name) => !created.includes(name))
      if (json === true) return context.printJson({ created, existing })
      const rows = plans.map(({ name }) => [name, created.includes(name) ? 'created' : 'was there'])
      return context.print(toTable(rows))
    })

  topics
    .command('describe')
    .description('show how they are, and what is wrong with them')
    .addOption(brokersOption())
    .addOption(jsonOption())
    .action(async ({ json }: TopicsOptions) => {
      const plans = planTopics(context.config())
      const names = plans.map(({ name }) => name)
      const existing = await describeTopics(await context.kafka().admin(), names)
      const problems = [...findTopicProblems(plans, existing), ...findTopicRisks(plans, existing)]
      const rows = plans.map(({ role, name }) => ({
        role,
        name,
        state: existing.get(name) ?? null,
        problems: problems.filter(({ topic }) => topic === name).map(({ problem, action }) => ({ problem, action })),
      }))
      if (json === true) {
        const shown = rows.map(({ state, ...row }) => ({
          ...row,
          exists: state !== null,
          partitions: state?.partitions ?? null,
          replication: state?.replication ?? null,
          cleanup: state?.cleanup ?? null,
          minInsyncReplicas: state?.minInsyncReplicas ?? null,
          maxMessageBytes: state?.maxMessageBytes ?? null,
          retentionMs: state?.retentionMs ?? null,
        }))
        return context.printJson({ topics: shown })
      }
      const table = rows.map(({ role, name, state, problems }) => [
        role,
        name,
        ...(state === null ? ['missing', '', ''] : [`${state.partitions}`, `${state.replication}`, state.cleanup]),
        problems.map(({ problem }) => problem).join('; '),
      ])
      return context.print(toTable([['ROLE', 'TOPIC', 'PARTITIONS', 'REPLICAS', 'CLEANUP', 'PROBLEM'], ...table]))
    })
}
