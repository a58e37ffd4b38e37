/** Flags of `posthorn mailbox …` → a mailbox command (pure). */
import type { MailboxAction, MailboxCommandInput, MessageFilterInput } from '../avro/records.ts'
import { PosthornError } from '../errors.ts'

export interface TargetFlags {
  uids?: number[]
  uidValidity?: number
  messageId?: string[]
  all?: boolean
  subject?: string
  from?: string
  to?: string
  seen?: boolean
  unseen?: boolean
  /** Milliseconds since the epoch. */
  since?: number
  before?: number
  /** Bytes. */
  larger?: number
  smaller?: number
}

export interface MailboxFlags extends TargetFlags {
  account: string
  fromFolder?: string
  toFolder?: string
  /** False for `--no-create`. */
  create?: boolean
  limit?: number
  id?: string
}

export interface FlagFlags {
  add?: string[]
  remove?: string[]
  markSeen?: boolean
  markUnseen?: boolean
}

const usage = (message: string, action: string): PosthornError =>
  new PosthornError('USAGE_INVALID', message, { stage: 'configure', action })

const filterOf = (flags: TargetFlags): MessageFilterInput => {
  if (flags.seen === true && flags.unseen === true)
    throw usage('--seen and --unseen exclude each other', 'Leave one out.')
  const { subject, from, to, since, before, larger, smaller } = flags
  const seen = flags.seen === true ? true : flags.unseen === true ? false : undefined
  return { subject, from, to, seen, since, before, larger, smaller }
}

/** @throws PosthornError `USAGE_INVALID` unless exactly one kind of target is named */
export const targetFromFlags = (flags: TargetFlags): MailboxCommandInput['target'] => {
  const filter = filterOf(flags)
  const kinds = [
    ...(flags.uids === undefined ? [] : ['--uids']),
    ...(flags.messageId === undefined ? [] : ['--message-id']),
    ...(Object.values(filter).every((condition) => condition === undefined) ? [] : ['a filter']),
    ...(flags.all === true ? ['--all'] : []),
  ]
  const choices = '--uids with --uid-validity, --message-id, a filter such as --from or --subject, or --all'
  if (kinds.length === 0) throw usage('no messages are named', `Name them by ${choices}.`)
  if (kinds.length > 1)
    throw usage(`${kinds.join(' and ')} exclude each other`, `Name the messages by one of ${choices}.`)
  if (flags.uidValidity !== undefined && flags.uids === undefined)
    throw usage('--uid-validity without --uids', 'Add --uids.')
  if (flags.uids !== undefined) {
    if (flags.uidValidity === undefined) {
      throw usage('--uids without --uid-validity', 'Add --uid-validity: the inbound record of each message has it.')
    }
    return { uids: flags.uids, uidValidity: flags.uidValidity }
  }
  if (flags.messageId !== undefined) return { messageIds: flags.messageId }
  return flags.all === true ? { all: true } : { filter }
}

/** What `posthorn mailbox flag` does. @throws PosthornError `USAGE_INVALID` unless it is exactly one thing */
export const flagActionOf = (flags: FlagFlags): { action: MailboxAction; flags: string[] } => {
  const { add, remove, markSeen, markUnseen } = flags
  const wanted: { action: MailboxAction; flags: string[] }[] = [
    ...(add === undefined ? [] : [{ action: 'ADD_FLAGS' as const, flags: add }]),
    ...(remove === undefined ? [] : [{ action: 'REMOVE_FLAGS' as const, flags: remove }]),
    ...(markSeen === true ? [{ action: 'MARK_SEEN' as const, flags: [] }] : []),
    ...(markUnseen === true ? [{ action: 'MARK_UNSEEN' as const, flags: [] }] : []),
  ]
  const [first, ...others] = wanted
  if (first === undefined || others.length > 0) {
    throw usage(
      first === undefined ? 'nothing is to be done' : 'one command does one thing',
      'Give one of --add, --remove, --mark-seen and --mark-unseen.',
    )
  }
  return first
}

/** @param id used where the flags name none */
export const commandFromFlags = (
  action: MailboxAction,
  flags: MailboxFlags,
  changedFlags: string[],
  id: string,
): MailboxCommandInput => ({
  id: flags.id ?? id,
  account: flags.account,
  action,
  fromFolder: flags.fromFolder,
  toFolder: flags.toFolder,
  createFolder: flags.create,
  flags: changedFlags,
  target: targetFromFlags(flags),
  folderSizeLimit: flags.limit,
})
