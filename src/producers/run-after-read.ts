import type { AfterReadConfig } from '../config/config.ts'
import type { Mailbox } from '../mail/mailbox.ts'

/** Servers bound the length of a command (RFC 2683 3.2.1.5). */
const mostAtOnce = 500

/** Does to published messages what the rule says. Safe to repeat: each action is, and the UIDs are there. */
export const runAfterRead = async (
  mailbox: Mailbox,
  after: AfterReadConfig,
  uids: readonly number[],
): Promise<void> => {
  if (after.action === 'move' && uids.length > 0) await mailbox.createFolder(after.folder)
  for (let start = 0; start < uids.length; start += mostAtOnce) {
    await act(mailbox, after, uids.slice(start, start + mostAtOnce))
  }
}

const act = async (mailbox: Mailbox, after: AfterReadConfig, uids: readonly number[]): Promise<void> => {
  switch (after.action) {
    case 'none':
      return
    case 'seen':
      await mailbox.addFlags(uids, ['\\Seen'])
      return
    case 'delete':
      await mailbox.deleteExactly(uids)
      return
    case 'move':
      await mailbox.move(uids, after.folder)
      return
    default:
      after satisfies never
  }
}
