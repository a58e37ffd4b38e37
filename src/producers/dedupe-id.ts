/**
 * The identity of a received message: account, folder, UIDVALIDITY and UID (RFC 9051 2.3.1.1), never the Message-ID.
 *
 * Joined with `/`; account and folder are percent-encoded, so no two messages share an id and it can be split again.
 */
export const buildDedupeId = (account: string, folder: string, uidValidity: number, uid: number): string =>
  `${encodeURIComponent(account)}/${encodeURIComponent(folder)}/${uidValidity}/${uid}`

/** Key of a checkpoint record. */
export const buildCheckpointKey = (account: string, folder: string): string =>
  `${encodeURIComponent(account)}/${encodeURIComponent(folder)}`
