import type { Command } from 'commander'
import { PosthornError, toPosthornError } from '../errors.ts'
import type { ConsumedRecord, OutgoingRecord } from '../kafka/records.ts'
import type { CliContext, Register } from './context.ts'
import { DeadLetterList, type DeadLetter } from './dead-letter-list.ts'
import { parseCount } from './parse-options.ts'
import { toTable } from './printable.ts'
import { replayOf } from './replay-record.ts'
import { formatError } from './report-error.ts'
import { brokersOption, jsonOption } from './shared-options.ts'
import { showRecord } from './show-record.ts'

interface ListOptions {
  code?: string
  max?: number
  handled?: boolean
  json?: boolean
}

interface ChoiceOptions {
  code?: string
  all?: boolean
  json?: boolean
}

const headerOf = (record: ConsumedRecord, name: string): string =>
  record.headers.findLast((header) => header.name === name)?.value.toString('utf8') ?? ''

const summarize = ({ record, isOpen }: DeadLetter) => ({
  partition: record.partition,
  offset: record.offset,
  at: headerOf(record, 'dead-letter-at'),
  code: headerOf(record, 'dead-letter-code'),
  stage: headerOf(record, 'dead-letter-stage'),
  attempts: Number(headerOf(record, 'dead-letter-attempts')),
  source: headerOf(record, 'dead-letter-source'),
  reason: headerOf(record, 'dead-letter-reason'),
  handled: !isOpen,
})

/** Which of the open ones are meant. @throws PosthornError `USAGE_INVALID` unless exactly one way is used to say it */
const chooser = (places: readonly string[], { code, all }: ChoiceOptions): ((letter: DeadLetter) => boolean) => {
  const ways = [places.length > 0, code !== undefined, all === true].filter(Boolean)
  if (ways.length !== 1) {
    throw new PosthornError('USAGE_INVALID', ways.length === 0 ? 'none is named' : 'they are named in two ways', {
      stage: 'configure',
      action: 'Name places as list shows them, or --code, or --all.',
    })
  }
  return ({ place, record }) =>
    all === true || (code === undefined ? places.includes(place) : headerOf(record, 'dead-letter-code') === code)
}

const notThere = (place: string): PosthornError =>
  new PosthornError('USAGE_INVALID', `there is no open dead letter at ${place}`, {
    stage: 'start',
    action: 'See posthorn dead-letters list.',
  })

const buildReplay = async (context: CliContext, { record }: DeadLetter): Promise<OutgoingRecord> => {
  const { kafka, send } = context.config()
  const retryTopics = send.retry.tiers.map(({ topic }) => topic)
  const id = context.io.createId()
  const { content, ...rest } = replayOf(record, headerOf(record, 'dead-letter-source'), kafka, retryTopics, id)
  if ('bytes' in content) return { ...rest, value: content.bytes }
  return { ...rest, value: await context.codec().encodeInput('MailboxCommand', content.command, rest.topic) }
}

export const registerDeadLetters: Register = (program, context) => {
  const deadLetters = program.command('dead-letters').description('records that could not be processed')
  const read = () => {
    const topic = context.config().kafka.topics.deadLetters
    return context.kafka().read({ topic, from: 'beginning', untilEnd: true })
  }
  const letters = async () => {
    const list = new DeadLetterList(context.kafka().handledDeadLetters())
    return { list, letters: list.read(await read()) }
  }

  deadLetters
    .command('list')
    .description('those that are open and why each is there, oldest first within a partition')
    .option('--code <code>', 'only those with this dead-letter-code')
    .option('--max <count>', 'end after so many', parseCount)
    .option('--handled', 'also those that were replayed or discarded')
    .addOption(brokersOption())
    .addOption(jsonOption())
    .action(async ({ code, max, handled, json }: ListOptions) => {
      const rows: ReturnType<typeof summarize>[] = []
      for await (const letter of (await letters()).letters) {
        const row = summarize(letter)
        if ((code === undefined || row.code === code) && (letter.isOpen || handled === true)) rows.push(row)
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
    .addOption(jsonOption())
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

  /** Settles each that is meant; one that can't be settled is reported, and the others go on. */
  const settle = async (
    places: readonly string[],
    options: ChoiceOptions,
    publish: (letter: DeadLetter) => Promise<OutgoingRecord | null>,
  ): Promise<{ place: string; topic: string | null }[]> => {
    const isMeant = chooser(places, options)
    const settled: { place: string; topic: string | null }[] = []
    const left = new Set(places)
    const { list, letters: all } = await letters()
    for await (const letter of all) {
      const { place } = letter
      if (!letter.isOpen || !isMeant(letter)) continue
      left.delete(place)
      const record = await publish(letter).catch((error: unknown) => {
        context.exitCode = 1
        context.progress(`${place}: ${formatError(toPosthornError(error, 'publish')).trimEnd()}`)
        return undefined
      })
      if (record === undefined) continue
      await list.settle(letter, record === null ? [] : [record])
      settled.push({ place, topic: record?.topic ?? null })
    }
    for (const place of left) {
      context.exitCode = 1
      context.progress(formatError(notThere(place)).trimEnd())
    }
    return settled
  }
  const addChoice = (command: Command): Command =>
    command
      .argument('[places...]', 'partition/offset, as list shows them')
      .option('--code <code>', 'all that are open and have this dead-letter-code')
      .option('--all', 'all that are open')
      .addOption(brokersOption())
      .addOption(jsonOption())

  addChoice(
    deadLetters
      .command('replay')
      .description(
        'publish them to their source once more; a message that was received is read again from its mailbox',
      ),
  ).action(async (places: string[], options: ChoiceOptions) => {
    const replayed = await settle(places, options, (letter) => buildReplay(context, letter))
    if (options.json === true) return context.printJson({ replayed })
    return context.print(toTable([['PLACE', 'TO'], ...replayed.map(({ place, topic }) => [place, topic ?? ''])]))
  })

  addChoice(
    deadLetters.command('discard').description('leave them out of the list from now on; the records stay in the topic'),
  ).action(async (places: string[], options: ChoiceOptions) => {
    const discarded = (await settle(places, options, async () => null)).map(({ place }) => place)
    if (options.json === true) return context.printJson({ discarded })
    return context.print(toTable([['DISCARDED'], ...discarded.map((place) => [place])]))
  })
}
