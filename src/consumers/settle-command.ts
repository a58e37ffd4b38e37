/**
 * What becomes of one record of the commands topic: decode, validate, carry out, report. The result, or the dead letter,
 * is committed together with the offset.
 */
import type { RecordCodec } from '../avro/codec.ts'
import type { MailboxCommand, MailboxCommandResult } from '../avro/records.ts'
import type { TopicsConfig } from '../config/config.ts'
import { PosthornError, toPosthornError } from '../errors.ts'
import type { Emit } from '../events.ts'
import { buildDeadLetter } from '../kafka/dead-letter.ts'
import { sourceOf, type ConsumedRecord, type OutgoingRecord } from '../kafka/records.ts'
import type { Settlement } from '../kafka/settlement-batcher.ts'
import type { Mailbox } from '../mail/mailbox.ts'
import type { MailboxHost } from './mailbox-partition.ts'
import { outcomeOfError, runMailboxCommand, type CommandOutcome, type CommandSettings } from './run-mailbox-command.ts'
import { validateCommand } from './validate-command.ts'

/** The mailbox side of an account, as commands need it. */
export interface CommandAccount {
  settings: CommandSettings
  /** A connection that stays open between commands; given back broken, it is thrown away. */
  withMailbox<T>(use: (mailbox: Mailbox) => Promise<T>): Promise<T>
}

export interface CommandDependencies {
  codec: RecordCodec
  topics: TopicsConfig
  /** Whether an account of this name with IMAP is configured, whoever owns it. */
  isKnown: (account: string) => boolean
  /** An account that this partition owns. */
  account: (name: string) => CommandAccount | null
  /** The partition that owns an account. */
  partitionOf: (account: string) => number
  emit: Emit
  now: () => number
}

const maxUnforeseen = 5

export class CommandSettler {
  readonly #deps: CommandDependencies

  constructor(deps: CommandDependencies) {
    this.#deps = deps
  }

  /**
   * @param attempt from 1; an error that nobody foresaw is tried a few times, an unreachable server is waited for
   * @throws PosthornError retryable: nothing was decided, call again later
   */
  async settle(record: ConsumedRecord, host: MailboxHost, attempt: number): Promise<Settlement> {
    const source = { topic: record.topic, offset: record.offset }
    let command: MailboxCommand
    try {
      command = await this.#deps.codec.decode('MailboxCommand', record.value)
    } catch (cause) {
      const error = toPosthornError(cause, 'decode')
      if (error.retryable) throw error
      return { records: [this.#deadLetter(record, error)], source }
    }
    let account: CommandAccount
    try {
      account = this.#check(command, host)
    } catch (cause) {
      const error = toPosthornError(cause, 'validate')
      const result = await this.#result(command, outcomeOfError('REJECTED', error))
      return { records: [result, this.#deadLetter(record, error)], source }
    }
    const outcome = await this.#carryOut(command, account, attempt)
    return { records: [await this.#result(command, outcome)], source }
  }

  #check(command: MailboxCommand, host: MailboxHost): CommandAccount {
    validateCommand(command)
    const { isKnown, partitionOf, account } = this.#deps
    const name = JSON.stringify(command.account)
    if (!isKnown(command.account)) {
      throw new PosthornError('COMMAND_ACCOUNT_UNKNOWN', `no account ${name} with IMAP is configured`, {
        stage: 'validate',
        action: 'Add it under accounts with an imap block, or correct the command.',
      })
    }
    const owned = account(command.account)
    if (owned !== null) return owned
    const message = `the record is in partition ${host.partition}, but account ${name} belongs to partition ${partitionOf(command.account)}`
    throw new PosthornError('COMMAND_INVALID', message, {
      stage: 'validate',
      action: "Use the account as the record's key and Kafka's default (murmur2) partitioner.",
    })
  }

  async #carryOut(command: MailboxCommand, account: CommandAccount, attempt: number): Promise<CommandOutcome> {
    try {
      return await account.withMailbox((mailbox) => runMailboxCommand(mailbox, command, account.settings))
    } catch (cause) {
      const error = toPosthornError(cause, 'command')
      if (error.retryable && (error.code !== 'INTERNAL' || attempt < maxUnforeseen)) throw error
      return outcomeOfError('FAILED', error)
    }
  }

  async #result(command: MailboxCommand, outcome: CommandOutcome): Promise<OutgoingRecord> {
    const { codec, topics, emit, now } = this.#deps
    const { id, account, action, fromFolder } = command
    const result: MailboxCommandResult = { id, account, action, fromFolder, completedAt: now(), ...outcome }
    emit({ type: 'CommandSettled', account, id, action, status: result.status, changed: result.changed })
    const value = await codec.encode('MailboxCommandResult', result, topics.commandResults)
    return { topic: topics.commandResults, key: id, value }
  }

  #deadLetter(record: ConsumedRecord, error: PosthornError): OutgoingRecord {
    const { topics, emit, now } = this.#deps
    emit({ type: 'RecordDeadLettered', source: sourceOf(record), code: error.code, message: error.message })
    return buildDeadLetter(record, error, { topic: topics.deadLetters, attempts: 1, at: now() })
  }
}
