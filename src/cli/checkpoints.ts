import type { Checkpoint } from '../avro/records.ts'
import { PosthornError, toPosthornError } from '../errors.ts'
import { sourceOf, type ConsumedRecord } from '../kafka/records.ts'
import { toTable } from './printable.ts'
import { brokersOption, jsonOption } from './shared-options.ts'
import type { CliContext, Register } from './context.ts'

interface ListOptions {
  account?: string
  json?: boolean
}

interface ResetOptions {
  account: string
  folder: string
  json?: boolean
}

interface Found {
  record: ConsumedRecord
  checkpoint: Checkpoint
}

/** The newest checkpoint of each folder, by account and folder. One that can't be read is reported and left out. */
const readCheckpoints = async (context: CliContext): Promise<Found[]> => {
  const topic = context.config().kafka.topics.checkpoints
  const newest = new Map<string, Found>()
  for await (const record of await context.kafka().read({ topic, from: 'beginning', untilEnd: true })) {
    const key = record.key?.toString('utf8') ?? ''
    // Posthorn's own notes: claims of the partition, plans of commands.
    if (key.startsWith('#')) continue
    // A record without a value takes the folder's checkpoint away.
    newest.delete(key)
    if (record.value === null) continue
    try {
      newest.set(key, { record, checkpoint: await context.codec().decode('Checkpoint', record.value) })
    } catch (thrown) {
      const { code, message } = toPosthornError(thrown, 'decode')
      context.progress(`posthorn: ${sourceOf(record)} can't be read: ${message} (${code})`)
      context.exitCode = 1
    }
  }
  const order = ({ checkpoint: { account, folder } }: Found): string => `${account}\0${folder}`
  return [...newest.values()].sort((a, b) => (order(a) < order(b) ? -1 : 1))
}

/** A worker has the checkpoints of its partitions in memory: it would not see the reset, and write over it. */
const assertNobodyReceives = async (context: CliContext): Promise<void> => {
  const group = `${context.config().kafka.group}.mailboxes`
  const workers = await context.kafka().countMembers(group)
  if (workers === 0) return
  throw new PosthornError('USAGE_INVALID', `${workers} worker(s) of group ${group} are up and own the checkpoints`, {
    stage: 'start',
    action: 'Stop all workers that receive, reset, and start them again.',
  })
}

export const registerCheckpoints: Register = (program, context) => {
  const checkpoints = program.command('checkpoints').description('how far the folders have been read')

  checkpoints
    .command('list')
    .description('the newest checkpoint of each folder')
    .option('--account <name>', 'of this account only')
    .addOption(brokersOption())
    .addOption(jsonOption())
    .action(async ({ account, json }: ListOptions) => {
      const rows = (await readCheckpoints(context))
        .map(({ checkpoint }) => checkpoint)
        .filter((one) => account === undefined || one.account === account)
      if (json === true) return context.printJson({ checkpoints: rows })
      const table = rows.map(({ account, folder, uidValidity, lastUid, pending, updatedAt }) => [
        account,
        folder,
        `${uidValidity}`,
        `${lastUid}`,
        `${pending.length}`,
        new Date(updatedAt).toISOString(),
      ])
      return context.print(toTable([['ACCOUNT', 'FOLDER', 'UIDVALIDITY', 'LAST UID', 'PENDING', 'UPDATED'], ...table]))
    })

  checkpoints
    .command('reset')
    .description('forget how far a folder has been read: it begins anew where `start` of its rule says')
    .requiredOption('--account <name>', 'the account')
    .requiredOption('--folder <folder>', 'the folder')
    .addOption(brokersOption())
    .addOption(jsonOption())
    .action(async ({ account, folder, json }: ResetOptions) => {
      await assertNobodyReceives(context)
      const found = (await readCheckpoints(context)).find(
        ({ checkpoint }) => checkpoint.account === account && checkpoint.folder === folder,
      )
      if (found === undefined) {
        throw new PosthornError('USAGE_INVALID', `account ${account} has no checkpoint of folder ${folder}`, {
          stage: 'start',
          action: 'See posthorn checkpoints list.',
        })
      }
      const { topic, partition, key } = found.record
      await context
        .kafka()
        .producer()
        .send([{ topic, partition, key, value: null }])
      const { uidValidity, lastUid } = found.checkpoint
      if (json === true) return context.printJson({ reset: { account, folder, uidValidity, lastUid } })
      return context.print(`${account} ${folder} was read up to UID ${lastUid} and begins anew\n`)
    })
}
