import { PosthornError } from '../errors.ts'
import type { ConsumedRecord } from '../kafka/records.ts'
import { parseCount } from './parse-options.ts'
import { toTable } from './printable.ts'
import { brokersOption, jsonOption } from './shared-options.ts'
import { showRecord } from './show-record.ts'
import type { Register } from './context.ts'

interface ListOptions {
  code?: string
  max?: number
  json?: boolean
}

const headerOf = (record: ConsumedRecord, name: string): string =>
  record.headers.findLast((header) => header.name === name)?.value.toString('utf8') ?? ''

const summarize = (record: ConsumedRecord) => ({
  partition: record.partition,
  offset: record.offset,
  at: headerOf(record, 'dead-letter-at'),
  code: headerOf(record, 'dead-letter-code'),
  stage: headerOf(record, 'dead-letter-stage'),
  attempts: Number(headerOf(record, 'dead-letter-attempts')),
  source: headerOf(record, 'dead-letter-source'),
  reason: headerOf(record, 'dead-letter-reason'),
})

export const registerDeadLetters: Register = (program, context) => {
  const deadLetters = program.command('dead-letters').description('records that could not be processed')
  const read = () => {
    const topic = context.config().kafka.topics.deadLetters
    return context.kafka().read({ topic, from: 'beginning', untilEnd: true })
  }

  deadLetters
    .command('list')
    .description('why each is there, oldest first within a partition')
    .option('--code <code>', 'only those with this dead-letter-code')
    .option('--max <count>', 'end after so many', parseCount)
    .addOption(brokersOption())
    .addOption(jsonOption())
    .action(async ({ code, max, json }: ListOptions) => {
      const rows: ReturnType<typeof summarize>[] = []
      for await (const record of await read()) {
        const row = summarize(record)
        if (code === undefined || row.code === code) rows.push(row)
        if (rows.length === max) break
      }
      if (json === true) return context.printJson({ deadLetters: rows })
      const table = rows.map((row) => [`${row.partition}/${row.offset}`, row.at, row.code, row.source, row.reason])
      return context.print(toTable([['PLACE', 'AT', 'CODE', 'SOURCE', 'REASON'], ...table]))
    })

  deadLetters
    .command('show')
    .description('print one as a line of JSON: headers, value and its bytes')
    .argument('<place>', 'partition/offset, as list shows it')
    .addOption(brokersOption())
    .action(async (place: string) => {
      for await (const record of await read()) {
        if (`${record.partition}/${record.offset}` !== place) continue
        return context.printJson(await showRecord(record, context.codec(), true))
      }
      throw new PosthornError('USAGE_INVALID', `there is no dead letter at ${place}`, {
        stage: 'start',
        action: 'See posthorn dead-letters list.',
      })
    })
}
