/** Wires the mailbox flow of a partition. */
import type { RecordCodec } from '../avro/codec.ts'
import type { Backoff } from '../backoff.ts'
import type { Config } from '../config/config.ts'
import { buildOversizeDeadLetter } from '../kafka/dead-letter.ts'
import { partitionFor } from '../kafka/partition-for.ts'
import type { CreateOwner } from '../kafka/partition-owner.ts'
import { OwnedAccount, type AccountDependencies } from './account-mailboxes.ts'
import { MailboxPartition, type MailboxHost } from './mailbox-partition.ts'
import { PartitionAccounts } from './partition-accounts.ts'
import { CommandSettler } from './settle-command.ts'

export interface MailboxOwnerDependencies extends AccountDependencies {
  config: Config
  codec: RecordCodec
  /** Of the commands topic. */
  partitionCount: number
  newBackoff: () => Backoff
}

export const createMailboxOwner =
  (deps: MailboxOwnerDependencies): CreateOwner =>
  (context) => {
    const { config, accounts, codec, partitionCount, newBackoff, emit, now } = deps
    const { topics } = config.kafka
    let opened: PartitionAccounts | null = null
    const openAccounts = (host: MailboxHost): PartitionAccounts => {
      opened = new PartitionAccounts(host, {
        accounts,
        isOwned: ({ name }) => partitionFor(name, partitionCount) === context.partition,
        open: (account, host) => new OwnedAccount(account, host, deps),
      })
      return opened
    }
    const settler = new CommandSettler({
      codec,
      topics,
      isKnown: (name) => (accounts.get(name)?.imap ?? null) !== null,
      account: (name) => opened?.get(name) ?? null,
      partitionOf: (name) => partitionFor(name, partitionCount),
      emit,
      now,
    })
    return new MailboxPartition(context, {
      commandsTopic: topics.commands,
      codec,
      openAccounts,
      settleCommand: (record, host, attempt, mayWait) => settler.settle(record, host, attempt, mayWait),
      replaceTooLarge: (record, error) => {
        const facts = { topic: topics.deadLetters, attempts: 1, at: now() }
        const instead = record.insteadWhenTooLarge ?? buildOversizeDeadLetter(record, error, facts)
        if (instead.topic === topics.deadLetters) {
          const source = typeof record.key === 'string' ? record.key : record.topic
          emit({ type: 'RecordDeadLettered', source, code: error.code, message: error.message })
        }
        return instead
      },
      newBackoff,
      onTrouble: ({ code, message }) => emit({ type: 'KafkaTrouble', role: 'receive', code, message }),
    })
  }
