import type { Checkpoint } from '../avro/records.ts'
import { toPosthornError } from '../errors.ts'
import { sourceOf } from '../kafka/records.ts'
import { toTable } from './printable.ts'
import { brokersOption, jsonOption } from './shared-options.ts'
import type { Register } from './context.ts'

interface CheckpointsOptions {
  account?: string
  json?: boolean
}

export const registerCheckpoints: Register = (program, context) => {
  const checkpoints = program.command('checkpoints').description('how far the folders have been read')

  checkpoints
    .command('list')
    .description('the newest checkpoint of each folder')
    .option('--account <name>', 'of this account only')
    .addOption(brokersOption())
    .addOption(jsonOption())
    .action(async ({ account, json }: CheckpointsOptions) => {
      const topic = context.config().kafka.topics.checkpoints
      const newest = new Map<string, Checkpoint>()
      for await (const record of await context.kafka().read({ topic, from: 'beginning', untilEnd: true })) {
        const key = record.key?.toString('utf8') ?? ''
        // A record without a value takes the folder's checkpoint away.
        newest.delete(key)
        if (record.value === null) continue
        try {
          newest.set(key, await context.codec().decode('Checkpoint', record.value))
        } catch (thrown) {
          const { code, message } = toPosthornError(thrown, 'decode')
          context.progress(`posthorn: ${sourceOf(record)} can't be read: ${message} (${code})`)
          context.exitCode = 1
        }
      }
      const rows = [...newest.values()]
        .filter((one) => account === undefined || one.account === account)
        .sort((a, b) => (`${a.account}\0${a.folder}` < `${b.account}\0${b.folder}` ? -1 : 1))
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
}
