/** What a mailbox command must be before it is carried out (pure). */
import type { MailboxCommand } from '../avro/records.ts'
import { PosthornError } from '../errors.ts'

const maxIdLength = 255

const problemsOf = (command: MailboxCommand): string[] => {
  const problems: string[] = []
  const { id, action, toFolder, flags, target, folderSizeLimit, fromFolder } = command
  if (id.length === 0 || id.length > maxIdLength || /[\u0000-\u001f\u007f]/.test(id)) {
    problems.push(`id: 1 to ${maxIdLength} characters, none of them a control character`)
  }
  if (fromFolder === '') problems.push('fromFolder: must not be empty')
  if (toFolder === '') problems.push('toFolder: must not be empty; leave it null where it is not needed')
  if ((action === 'MOVE' || action === 'COPY') && toFolder === null) problems.push(`toFolder: ${action} needs it`)
  if ((action === 'MOVE' || action === 'ARCHIVE') && toFolder !== null && toFolder === fromFolder) {
    problems.push('toFolder: is the same as fromFolder')
  }
  if ((action === 'ADD_FLAGS' || action === 'REMOVE_FLAGS') && flags.length === 0) {
    problems.push(`flags: ${action} needs at least one`)
  }
  for (const flag of flags) {
    // RFC 3501 9: flag-keyword is an atom; a system flag begins with a backslash. \Recent belongs to the server.
    if (!/^\\?[^\u0000-\u0020\u007f-\uffff(){%*"\\\]]+$/.test(flag) || flag.toLowerCase() === '\\recent') {
      problems.push('flags: a system flag such as \\Flagged, or a keyword without spaces and special characters')
      break
    }
  }
  if ('uids' in target && target.uids.length === 0) problems.push('target.uids: must not be empty')
  if ('uids' in target && target.uids.some((uid) => uid < 1 || uid > 0xffff_ffff)) {
    problems.push('target.uids: each is from 1 to 4294967295')
  }
  if ('messageIds' in target && target.messageIds.length === 0) problems.push('target.messageIds: must not be empty')
  if ('messageIds' in target && target.messageIds.some((one) => /[\u0000-\u001f\u007f]/.test(one) || one === '')) {
    problems.push('target.messageIds: none is empty or has control characters')
  }
  if (folderSizeLimit !== null && folderSizeLimit < 1) problems.push('folderSizeLimit: at least 1')
  return problems
}

/** @throws PosthornError `COMMAND_INVALID` with every problem */
export const validateCommand = (command: MailboxCommand): void => {
  const problems = problemsOf(command)
  if (problems.length === 0) return
  throw new PosthornError('COMMAND_INVALID', `the command is invalid: ${problems.join('; ')}`, { stage: 'validate' })
}
