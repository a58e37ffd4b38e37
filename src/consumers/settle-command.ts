/**
 * What becomes of one record of the commands topic: decode, validate, carry out, report. The result, or the dead letter,
 * is committed together with the offset.
 */
import type { RecordCodec } from '../avro/codec.ts'
import type { MailboxCommand, MailboxCommandResult } from '../avro/records.ts'
import type { TopicsConfig } from '../config/config.ts'
import { PosthornError, toPosthornError, type ErrorCode } from '../errors.ts'
import type { Emit } from '../events.ts'
import { buildDeadLetter } from '../kafka/dead-letter.ts'
import { header, sourceOf, type ConsumedRecord, type OutgoingRecord, type RecordHeader } from '../kafka/records.ts'
import type { Settlement } from '../kafka/settlement-batcher.ts'
import type { Mailbox } from '../mail/mailbox.ts'
import type { MailboxHost } from './mailbox-partition.ts'
import type { CommandPlan, KeptPlan } from './plan-command.ts'
import { outcomeOfError, runMailboxCommand, type CommandRun, type CommandSettings } from './run-mailbox-command.ts'
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
/** So often the connection may break at one command: then it is the command, or a message that it means. */
const maxBreaks = 10
/** From here on a result may be larger than the broker takes (`max.message.bytes` is 1 MB by default). */
const manyMoved = 10_000

/** Marks a command that came in another account's partition and was passed on; it is passed on once. */
const forwardedHeader = 'posthorn-forwarded'

/** Key of the plan of a command that is being carried out, in the checkpoints topic. */
export const planKey = (offset: number | ''): string => `#command/${offset}`

/** W3C Trace Context 3: what follows from the command carries on its trace. */
const traceHeaders = ({ headers }: ConsumedRecord): RecordHeader[] =>
  headers.filter(({ name }) => name === 'traceparent' || name === 'tracestate')

export class CommandSettler {
  readonly #deps: CommandDependencies
  /** By offset. */
  readonly #breaks = new Map<number, number>()

  constructor(deps: CommandDependencies) {
    this.#deps = deps
  }

  /**
   * @param attempt from 1; an error that nobody foresaw is tried a few times, an unreachable server is waited for
   * @param mayWait false: too much waits already, so the command fails instead of waiting for its server
   * @throws PosthornError retryable: nothing was decided, call again later
   */
  async settle(record: ConsumedRecord, host: MailboxHost, attempt: number, mayWait: boolean): Promise<Settlement> {
    const source = { topic: record.topic, offset: record.offset }
    let command: MailboxCommand
    try {
      command = await this.#deps.codec.decode('MailboxCommand', record.value)
    } catch (cause) {
      const error = toPosthornError(cause, 'decode')
      if (error.retryable) throw error
      return { records: [this.#deadLetter(record, error)], source }
    }
    let account: CommandAccount | null
    try {
      account = this.#check(command, record, host)
    } catch (cause) {
      const error = toPosthornError(cause, 'validate')
      if (error.retryable) throw error
      const result = await this.#result(command, record, { outcome: outcomeOfError('REJECTED', error), records: [] })
      return { records: [...result, this.#deadLetter(record, error)], source }
    }
    if (account === null) return { records: [this.#forward(command, record)], source }
    const run = await this.#carryOut(command, account, record, host, { attempt, mayWait })
    this.#breaks.delete(record.offset)
    const result = await this.#result(command, record, run)
    return { records: host.plans.delete(record.offset) ? [...result, this.#plan(record, null)] : result, source }
  }

  /** A producer with another partitioner than Kafka's own, or without a key, put it where it does not belong. */
  #forward({ account }: MailboxCommand, record: ConsumedRecord): OutgoingRecord {
    return {
      topic: record.topic,
      partition: this.#deps.partitionOf(account),
      key: account,
      value: record.value,
      headers: [...record.headers, header(forwardedHeader, sourceOf(record))],
    }
  }

  #plan({ partition, offset }: ConsumedRecord, plan: KeptPlan | null): OutgoingRecord {
    const value = plan === null ? null : Buffer.from(JSON.stringify(plan))
    return { topic: this.#deps.topics.checkpoints, partition, key: planKey(offset), value }
  }

  /** @returns null: it belongs to another partition. @throws PosthornError retryable: a reload is still at it */
  #check(command: MailboxCommand, record: ConsumedRecord, host: MailboxHost): CommandAccount | null {
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
    if (partitionOf(command.account) === host.partition) {
      throw new PosthornError('STOPPED', `account ${name} is not taken up yet`, { stage: 'validate', retryable: true })
    }
    if (!record.headers.some(({ name: header }) => header === forwardedHeader)) return null
    const message = `the record is in partition ${host.partition}, but account ${name} belongs to partition ${partitionOf(command.account)}`
    throw new PosthornError('COMMAND_INVALID', message, {
      stage: 'validate',
      action: 'See that every worker has the same accounts, and that the commands topic was not given more partitions.',
    })
  }

  async #carryOut(
    command: MailboxCommand,
    account: CommandAccount,
    record: ConsumedRecord,
    host: MailboxHost,
    { attempt, mayWait }: { attempt: number; mayWait: boolean },
  ): Promise<CommandRun> {
    const known = host.plans.get(record.offset)
    const of = `${command.id} ${record.timestamp}`
    const memory = {
      plan: known?.of === of ? known : null,
      keep: (planned: CommandPlan, records: readonly OutgoingRecord[] = []) => {
        const plan = { ...planned, of }
        host.plans.set(record.offset, plan)
        return host.commit({ records: [...records, this.#plan(record, plan)], source: null })
      },
      headers: traceHeaders(record),
    }
    try {
      return await account.withMailbox((mailbox) => runMailboxCommand(mailbox, command, account.settings, memory))
    } catch (cause) {
      const error = toPosthornError(cause, 'command')
      const { code, retryable } = error
      if (retryable && this.#isWorthWaiting(code, record.offset, attempt, mayWait)) throw error
      return { outcome: outcomeOfError('FAILED', error), records: [] }
    }
  }

  #isWorthWaiting(code: ErrorCode, offset: number, attempt: number, mayWait: boolean): boolean {
    if (code === 'INTERNAL') return attempt < maxUnforeseen
    // What Posthorn itself has let go of says nothing about the server.
    if (code === 'STOPPED') return true
    if (code !== 'IMAP_CONNECTION_LOST' && code !== 'IMAP_TIMEOUT') return mayWait
    const breaks = (this.#breaks.get(offset) ?? 0) + 1
    this.#breaks.set(offset, breaks)
    return mayWait && breaks < maxBreaks
  }

  async #result(command: MailboxCommand, record: ConsumedRecord, run: CommandRun): Promise<OutgoingRecord[]> {
    const { codec, topics, emit, now } = this.#deps
    const { id, account, action, fromFolder } = command
    const result: MailboxCommandResult = { id, account, action, fromFolder, completedAt: now(), ...run.outcome }
    emit({ type: 'CommandSettled', account, id, action, status: result.status, changed: result.changed })
    const recordOf = async (result: MailboxCommandResult): Promise<OutgoingRecord> => {
      const value = await codec.encode('MailboxCommandResult', result, topics.commandResults)
      return { topic: topics.commandResults, key: id, value, headers: traceHeaders(record) }
    }
    const whole = await recordOf(result)
    if (result.moved.length < manyMoved) return [...run.records, whole]
    // Some 70,000 fit into a record of 1 MB; of more, the numbers must do.
    return [...run.records, { ...whole, insteadWhenTooLarge: await recordOf({ ...result, moved: [] }) }]
  }

  #deadLetter(record: ConsumedRecord, error: PosthornError): OutgoingRecord {
    const { topics, emit, now } = this.#deps
    emit({ type: 'RecordDeadLettered', source: sourceOf(record), code: error.code, message: error.message })
    return buildDeadLetter(record, error, { topic: topics.deadLetters, attempts: 1, at: now() })
  }
}
