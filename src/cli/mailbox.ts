import type { Command } from 'commander'
import type { MailboxAction, MailboxCommandInput, MailboxCommandResult } from '../avro/records.ts'
import { PosthornError } from '../errors.ts'
import { awaitResults, Expectations } from './await-results.ts'
import { commandFromFlags, flagActionOf, type FlagFlags, type MailboxFlags } from './command-input.ts'
import type { CliContext, Register } from './context.ts'
import {
  collect,
  collectMessageIds,
  parseCount,
  parseDuration,
  parseSize,
  parseTime,
  parseUids,
} from './parse-options.ts'
import { brokersOption, jsonOption } from './shared-options.ts'

interface WaitFlags {
  wait?: boolean
  /** Milliseconds. */
  timeout?: number
}

const addTarget = (command: Command): Command =>
  command
    .requiredOption('--account <name>', 'the configured account')
    .option('--from-folder <folder>', 'where the messages are (default: INBOX)')
    .option('--uids <set>', 'by UID, such as 1,5:9', parseUids)
    .option('--uid-validity <number>', 'UIDVALIDITY under which the UIDs were seen', parseCount)
    .option('--message-id <id>', 'by Message-ID; may be repeated', collectMessageIds)
    .option('--from <glob>', 'by sender, such as *@example.com; the following conditions must all hold')
    .option('--to <glob>', 'by recipient')
    .option('--subject <text>', 'by a part of the subject')
    .option('--seen', 'those that have been read')
    .option('--unseen', 'those that have not')
    .option('--since <time>', 'received at or after', parseTime)
    .option('--before <time>', 'received before', parseTime)
    .option('--larger <size>', 'larger than, such as 5MB', parseSize)
    .option('--smaller <size>', 'smaller than', parseSize)
    .option('--all', 'every message of the folder')
    .option('--limit <count>', 'most messages handled in one batch', parseCount)
    .option('--id <id>', 'id of the command, returned in its result (default: a new one)')
    .option('--wait', 'print the result; exit 1 unless it is DONE')
    .option('--timeout <duration>', 'longest wait for the result', parseDuration)
    .addOption(brokersOption())
    .addOption(jsonOption())

const publish = async (context: CliContext, command: MailboxCommandInput): Promise<void> => {
  const topic = context.config().kafka.topics.commands
  const value = await context.codec().encodeInput('MailboxCommand', command, topic)
  await context
    .kafka()
    .producer()
    .send([{ topic, key: command.account, value }])
}

const publishAndWait = async (context: CliContext, command: MailboxCommandInput, timeoutMs: number | null) => {
  const topic = context.config().kafka.topics.commandResults
  const reader = await context.kafka().read({ topic, from: 'latest', untilEnd: false })
  const expected = new Expectations(() => void reader.close())
  expected.add(command.id)
  expected.complete()
  await publish(context, command)
  context.progress(`published ${command.id}, waiting for its result`)
  const timer = timeoutMs === null ? undefined : setTimeout(() => void reader.close(), timeoutMs)
  const results = awaitResults<MailboxCommandResult>({
    reader,
    expected,
    decode: (value) => context.codec().decode('MailboxCommandResult', value),
    isFinal: () => true,
    onResult: async (result) => {
      if (result.status !== 'DONE') context.exitCode = 1
      await context.printJson(result)
    },
  })
  await results.finally(() => clearTimeout(timer))
  if (expected.size === 0) return
  throw new PosthornError('STOPPED', `command ${command.id} was accepted and has no result yet`, {
    stage: 'stop',
    action: 'It is not lost: posthorn tail commandResults shows what becomes of it. Is posthorn run up?',
  })
}

export const registerMailbox: Register = (program, context) => {
  const mailbox = program.command('mailbox').description('publish a command for a mailbox')

  const act = async (action: MailboxAction, flags: MailboxFlags & WaitFlags, changedFlags: string[]): Promise<void> => {
    const command = commandFromFlags(action, flags, changedFlags, context.io.createId())
    if (flags.wait === true) return publishAndWait(context, command, flags.timeout ?? null)
    await publish(context, command)
    return context.printJson({ id: command.id })
  }
  const add = (name: string, description: string): Command => addTarget(mailbox.command(name).description(description))
  const addTransfer = (name: string, description: string, action: MailboxAction): Command =>
    add(name, description)
      .option('--no-create', 'fail when the target folder is missing, instead of creating it')
      .action((flags: MailboxFlags & WaitFlags) => act(action, flags, []))

  addTransfer('move', 'move messages to another folder', 'MOVE').requiredOption('--to-folder <folder>', 'where to')
  addTransfer('copy', 'copy messages to another folder', 'COPY').requiredOption('--to-folder <folder>', 'where to')
  addTransfer('archive', 'move messages to the archive', 'ARCHIVE').option(
    '--to-folder <folder>',
    "where to (default: the account's archive folder)",
  )
  add('delete', 'delete messages').action((flags: MailboxFlags & WaitFlags) => act('DELETE', flags, []))
  add('redeliver', 'publish messages to the inbound topic once more').action((flags: MailboxFlags & WaitFlags) =>
    act('REDELIVER', flags, []),
  )
  add('flag', 'change flags or keywords')
    .option('--add <flag>', 'such as \\Flagged; may be repeated', collect)
    .option('--remove <flag>', 'may be repeated', collect)
    .option('--mark-seen', 'mark as read')
    .option('--mark-unseen', 'mark as unread')
    .action((flags: MailboxFlags & WaitFlags & FlagFlags) => {
      const { action, flags: changedFlags } = flagActionOf(flags)
      return act(action, flags, changedFlags)
    })
}
