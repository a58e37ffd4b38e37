/** Deleting exactly what is meant takes UID EXPUNGE: a plain EXPUNGE takes along what others have marked (RFC 4315 2.1). */
import { PosthornError } from '../errors.ts'
import type { Mailbox } from './mailbox.ts'

export const unsafeMove = (message: string): PosthornError =>
  new PosthornError('IMAP_UNSAFE_MOVE', message, {
    stage: 'command',
    action: "Use after: seen or none for this account; a plain EXPUNGE would delete other people's messages as well.",
  })

/** @throws PosthornError `IMAP_UNSAFE_MOVE` */
export const requireExactDeletion = ({ capabilities }: Pick<Mailbox, 'capabilities'>): void => {
  if (capabilities.has('UIDPLUS') || capabilities.has('IMAP4REV2')) return
  throw unsafeMove('the server can not delete exactly these messages (no UIDPLUS)')
}
