/**
 * What Posthorn tells about itself. One closed union; `log-events.ts` turns it into log lines and
 * `http/count-events.ts` into metrics.
 *
 * No event carries mail content or a secret. Ids, accounts, folders, topics and counts are allowed.
 */
import type { ErrorCode } from './errors.ts'

export type Role = 'send' | 'receive'

export type PosthornEvent =
  | { type: 'Started'; roles: readonly Role[]; accounts: readonly string[] }
  /** Health, readiness and metrics can be asked for there. */
  | { type: 'Listening'; url: string }
  /** The configuration was read again. `restartNeeded`: sections whose changes count only after a restart. */
  | {
      type: 'ConfigReloaded'
      added: readonly string[]
      changed: readonly string[]
      removed: readonly string[]
      restartNeeded: readonly string[]
    }
  /** The worker goes on with the configuration that it has. */
  | { type: 'ConfigRejected'; code: ErrorCode; message: string; action: string | null }
  /** An existing topic works, but may lose something one day. */
  | { type: 'TopicRisk'; topic: string; problem: string; action: string }
  | { type: 'Stopping'; reason: string }
  | { type: 'Stopped' }
  | { type: 'GroupJoined'; role: Role; partitions: readonly number[] }
  | { type: 'PartitionReady'; role: Role; partition: number }
  | { type: 'KafkaTrouble'; role: Role | 'oauth'; code: ErrorCode; message: string }
  /**
   * Kafka has deleted records that no worker had taken (`records` at most), or the topic ends before what was committed
   * (`records` null): it was made anew, or has lost its end. Reading goes on at `to`.
   */
  | {
      type: 'RecordsLost'
      role: Role
      topic: string
      partition: number
      from: number
      to: number
      records: number | null
    }
  | { type: 'MailSettled'; account: string; id: string; status: string; attempt: number; code: string | null }
  /**
   * The partition was lost or let go while so many deliveries were under way: whoever owns it next can't know their outcome
   * and decides as `delivery` of each says.
   */
  | { type: 'DeliveriesAbandoned'; partition: number; deliveries: number }
  /** No connection is tried for a while; mail that waits is deferred, not lost. */
  | { type: 'SmtpTrouble'; account: string; code: ErrorCode; message: string; action: string | null; retryInMs: number }
  /** The account, not a mail, is refused. `retryInMs` null: nothing is tried until a person has logged in. */
  | {
      type: 'AccountPaused'
      account: string
      code: ErrorCode
      message: string
      action: string | null
      retryInMs: number | null
    }
  | { type: 'AccountResumed'; account: string }
  /** It was delivered; it is not in its folder yet. `retryInMs` null: it will not be tried again. */
  | {
      type: 'MailNotSaved'
      account: string
      id: string
      folder: string
      code: ErrorCode
      message: string
      retryInMs: number | null
    }
  | { type: 'RecordDeadLettered'; source: string; code: ErrorCode; message: string }
  | { type: 'FolderOpened'; account: string; folder: string; uidValidity: number; lastUid: number }
  | { type: 'FolderSynced'; account: string; folder: string; published: number; lastUid: number }
  | { type: 'FolderTrouble'; account: string; folder: string; code: ErrorCode; message: string; retryInMs: number }
  /** Tried again a few times, then a dead letter. */
  | { type: 'MessageFailed'; account: string; folder: string; uid: number; code: ErrorCode }
  | { type: 'UidValidityChanged'; account: string; folder: string; before: number; now: number; policy: string }
  | { type: 'AfterReadFailed'; account: string; folder: string; code: ErrorCode; message: string }
  | { type: 'CommandSettled'; account: string; id: string; action: string; status: string; changed: number }

export type Emit = (event: PosthornEvent) => void
