/**
 * The port to a mailbox. One connection, one selected folder at a time; broken once, it stays broken, and its user makes a
 * new one. Every failure is a `PosthornError` (`IMAP_*`); the suite in `test/contract/imap-mailbox.ts` says what each
 * server must do behind it.
 */

export interface OpenFolder {
  /** RFC 3501 2.3.1.1. */
  uidValidity: number
  /** Above every UID in the folder; null where the server does not say. */
  uidNext: number | null
}

export interface MessageSummary {
  uid: number
  size: number
  flags: readonly string[]
  /** INTERNALDATE, milliseconds since the epoch. */
  receivedAtMs: number
  /** OBJECTID (RFC 8474) or X-GM-MSGID. */
  emailId: string | null
  threadId: string | null
  /** Of `emailId`, else of arrival, size and header: the same for the same message under another UID. */
  fingerprint: string
}

/**
 * @param header the fields From, To, Subject, Date and Message-ID, as they stand in the message. They may take megabytes
 *   (a hundred thousand recipients), so they are looked at while they are here and not kept.
 */
export type ReadSummary<T> = (summary: MessageSummary, header: Buffer) => T

/**
 * All criteria that are given (and not null) hold together. The server may find more than what is meant, never less:
 * only criteria that every server reads alike are here, and days are widened by the differences between time zones.
 */
export interface SearchCriteria {
  /** Value of the Message-ID field. */
  messageId?: string
  /** True: without `\Seen`; false: with it. */
  unread?: boolean | null
  /** A keyword, no system flag. */
  keyword?: string | null
  sinceMs?: number | null
  beforeMs?: number | null
  largerThanBytes?: number | null
  smallerThanBytes?: number | null
}

export interface WaitOptions {
  /** Whether the server is asked to tell of changes (IDLE, RFC 2177). */
  idle: boolean
  timeoutMs: number
}

export interface FolderFacts {
  path: string
  /** `\Archive`, `\Sent`, … (RFC 6154); null: none. */
  specialUse: string | null
}

export interface Mailbox {
  readonly capabilities: ReadonlySet<string>
  /** @throws PosthornError `IMAP_FOLDER_MISSING` */
  open(folder: string, options: { readOnly: boolean }): Promise<OpenFolder>
  /** UIDNEXT of a folder that is not open; null where the server does not say. */
  uidNextOf(folder: string): Promise<number | null>
  listFolders(): Promise<FolderFacts[]>
  findSpecialFolder(use: string): Promise<string | null>
  /** Does nothing where the folder is there. */
  createFolder(folder: string): Promise<void>
  /** @returns UIDs from `fromUid` to `toUid` (default: the last), ascending */
  searchUids(criteria: SearchCriteria, fromUid: number, toUid?: number): Promise<number[]>
  /** Those that are still there, in any order. */
  fetchSummaries(uids: readonly number[]): Promise<MessageSummary[]>
  fetchSummaries<T>(uids: readonly number[], read: ReadSummary<T>): Promise<T[]>
  /** Whole messages; one that has vanished is left out. No other call before the iteration has ended. */
  fetchRaw(uids: readonly number[]): AsyncIterable<{ uid: number; raw: Buffer }>
  /** One message in slices, in order. @throws PosthornError `IMAP_CONNECTION_LOST` when it is cut short */
  streamRaw(uid: number, size: number): AsyncIterable<Buffer>
  addFlags(uids: readonly number[], flags: readonly string[]): Promise<void>
  removeFlags(uids: readonly number[], flags: readonly string[]): Promise<void>
  /**
   * @returns for each message that was moved its new UID, null where the server does not tell (COPYUID, RFC 4315)
   * @throws PosthornError `IMAP_UNSAFE_MOVE` where the server has no MOVE (RFC 6851): see `moveMessages`
   */
  move(uids: readonly number[], folder: string): Promise<Map<number, number | null>>
  /** As `move`; where the server does not tell, it may not have copied either. */
  copy(uids: readonly number[], folder: string): Promise<Map<number, number | null>>
  /** @throws PosthornError `IMAP_UNSAFE_MOVE` where the server can't delete exactly these (no UIDPLUS) */
  deleteExactly(uids: readonly number[]): Promise<void>
  append(folder: string, raw: Buffer, flags: readonly string[]): Promise<void>
  /**
   * Waits until the folder changes, the time is over, or the signal aborts. Meanwhile, and at the end, an exchange proves
   * that the connection lives: `imap.probeInterval` bounds the silence. Returns at once where the folder has changed
   * since it was opened.
   */
  wait(signal: AbortSignal, options: WaitOptions): Promise<void>
  /** Bounded in time, never rejects. */
  close(): Promise<void>
}

/** As it comes from connecting. */
export interface ConnectedMailbox extends Mailbox {
  /** How it logged in, such as `AUTH=PLAIN`; null: without a login. */
  readonly loginWay: string | null
}
