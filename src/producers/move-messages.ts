import { requireExactDeletion, unsafeMove } from '../mail/exact-deletion.ts'
import type { Mailbox } from '../mail/mailbox.ts'
import { Arrivals, fingerprintsOf } from './arrivals.ts'

/** Servers with MOVE (RFC 6851) move in one step; others copy, and what has arrived is deleted. */
export const movesByCopying = ({ capabilities }: Mailbox): boolean => !capabilities.has('MOVE')

/**
 * Moves messages of the open folder `from`, and leaves it open. Broken off between copy and deletion it must not be
 * repeated before somebody has looked for the copies.
 *
 * @returns for each message that was moved its new UID, null where the server does not tell
 * @throws PosthornError `IMAP_UNSAFE_MOVE` before anything is done, or where nothing proves what was copied
 */
export const moveMessages = async (
  mailbox: Mailbox,
  from: string,
  uids: readonly number[],
  to: string,
): Promise<Map<number, number | null>> => {
  if (!movesByCopying(mailbox)) return mailbox.move(uids, to)
  requireExactDeletion(mailbox)
  const toUidNext = await mailbox.uidNextOf(to)
  const told = await mailbox.copy(uids, to)
  // Without COPYUID it may have copied nothing (RFC 4315 3).
  const isTold = ![...told.values()].includes(null)
  const copied = isTold ? told : toUidNext === null ? new Map() : await findCopies(mailbox, from, uids, to, toUidNext)
  if (copied.size === 0) throw unsafeMove('the server does not tell what it has copied (no COPYUID)')
  await mailbox.deleteExactly([...copied.keys()])
  return copied
}

/**
 * Which messages of the open folder `from` have a copy in `to`, with its UID. Leaves `from` open.
 *
 * @param toUidNext the copies have this UID or a higher one
 */
export const findCopies = async (
  mailbox: Mailbox,
  from: string,
  uids: readonly number[],
  to: string,
  toUidNext: number,
): Promise<Map<number, number>> => {
  const fingerprints = await fingerprintsOf(mailbox, uids)
  const arrivals = await Arrivals.read(mailbox, to, toUidNext)
  await mailbox.open(from, { readOnly: false })
  const copies = new Map<number, number>()
  for (const uid of uids) {
    const copy = arrivals.take(fingerprints.get(uid))
    if (copy !== null) copies.set(uid, copy)
  }
  return copies
}
