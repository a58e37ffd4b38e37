import type { AfterReadConfig } from '../config/config.ts'
import type { Mailbox } from '../mail/mailbox.ts'

/** Does to published messages what the rule says. Safe to repeat: each action is, and the UIDs are there. */
export const runAfterRead = async (
  mailbox: Mailbox,
  after: AfterReadConfig,
  uids: readonly number[],
): Promise<void> => {
  if (uids.length === 0) return
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
      await mailbox.createFolder(after.folder)
      await mailbox.move(uids, after.folder)
      return
    default:
      after satisfies never
  }
}
