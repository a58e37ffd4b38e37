/** The one table from events to metrics. A new event has to say here what it counts, be it nothing. */
import type { PosthornEvent } from '../events.ts'
import type { Change } from './metrics.ts'

const folderLabels = ['account', 'folder'] as const

export const eventFamilies = {
  posthorn_owned_partitions: {
    type: 'gauge',
    help: 'Partitions that this worker owns, by the last time it joined the group.',
    labels: ['role'],
  },
  posthorn_group_joins_total: {
    type: 'counter',
    help: 'Times that this worker joined its consumer group: a steady rise is a group that finds no rest.',
    labels: ['role'],
  },
  posthorn_kafka_troubles_total: {
    type: 'counter',
    help: 'Failures of Kafka that are being tried again.',
    labels: ['role', 'code'],
  },
  posthorn_record_losses_total: {
    type: 'counter',
    help: 'Times that records were found deleted from a topic before they were taken; the log says how many and where.',
    labels: ['role', 'topic'],
  },
  posthorn_send_results_total: {
    type: 'counter',
    help: 'Results of send requests by status; DEFERRED is an attempt that will be repeated. The code is empty on success.',
    labels: ['account', 'status', 'code'],
  },
  posthorn_deliveries_abandoned_total: {
    type: 'counter',
    help: 'Deliveries that were under way when their partition was lost: each may be repeated, or reported INDETERMINATE.',
    labels: [],
  },
  posthorn_smtp_troubles_total: {
    type: 'counter',
    help: 'SMTP servers that could not be used for a while.',
    labels: ['account', 'code'],
  },
  posthorn_account_paused: {
    type: 'gauge',
    help: '1 while the account waits for a person: its SMTP server refuses it, or somebody must log in (OAuth 2.0).',
    labels: ['account'],
  },
  posthorn_save_failures_total: {
    type: 'counter',
    help: 'Tries to save a delivered mail in its folder that failed.',
    labels: ['account', 'code'],
  },
  posthorn_dead_letters_total: {
    type: 'counter',
    help: 'Records and messages put on the dead letters.',
    labels: ['code'],
  },
  posthorn_messages_received_total: {
    type: 'counter',
    help: 'Messages published to the inbound topic or put on the dead letters; counted when a sync is complete.',
    labels: folderLabels,
  },
  posthorn_folder_last_synced_seconds: {
    type: 'gauge',
    help: 'Unix time at which this worker last brought the folder up to date. After a rebalance the newest of all workers counts.',
    labels: folderLabels,
  },
  posthorn_folder_troubles_total: {
    type: 'counter',
    help: 'Failures of a folder (login, connection, object store) that are being tried again.',
    labels: ['account', 'folder', 'code'],
  },
  posthorn_uidvalidity_changes_total: {
    type: 'counter',
    help: 'Times that a server renumbered a folder.',
    labels: folderLabels,
  },
  posthorn_after_read_failures_total: {
    type: 'counter',
    help: 'After-read actions that failed and are being tried again.',
    labels: ['account', 'folder', 'code'],
  },
  posthorn_commands_total: {
    type: 'counter',
    help: 'Mailbox commands by outcome.',
    labels: ['account', 'action', 'status'],
  },
} as const

export interface CountingContext {
  /** Records name accounts that nobody configured; those share one label. */
  isAccount: (name: string) => boolean
  /** Milliseconds since the epoch. */
  now: () => number
}

const noAccount = 'unknown'

export const countEvent = (
  event: PosthornEvent,
  { isAccount, now }: CountingContext,
): readonly Change<typeof eventFamilies>[] => {
  const known = (account: string): string => (isAccount(account) ? account : noAccount)
  switch (event.type) {
    case 'GroupJoined': {
      const labels = { role: event.role }
      return [
        { name: 'posthorn_owned_partitions', labels, set: event.partitions.length },
        { name: 'posthorn_group_joins_total', labels, add: 1 },
      ]
    }
    case 'KafkaTrouble':
      return [{ name: 'posthorn_kafka_troubles_total', labels: { role: event.role, code: event.code }, add: 1 }]
    case 'RecordsLost':
      return [{ name: 'posthorn_record_losses_total', labels: { role: event.role, topic: event.topic }, add: 1 }]
    case 'MailSettled': {
      const labels = { account: known(event.account), status: event.status, code: event.code ?? '' }
      return [{ name: 'posthorn_send_results_total', labels, add: 1 }]
    }
    case 'DeliveriesAbandoned':
      return [{ name: 'posthorn_deliveries_abandoned_total', labels: {}, add: event.deliveries }]
    case 'SmtpTrouble':
      return [{ name: 'posthorn_smtp_troubles_total', labels: { account: event.account, code: event.code }, add: 1 }]
    case 'AccountPaused': {
      const { account, code } = event
      return [
        { name: 'posthorn_smtp_troubles_total', labels: { account, code }, add: 1 },
        { name: 'posthorn_account_paused', labels: { account }, set: 1 },
      ]
    }
    case 'AccountResumed':
      return [{ name: 'posthorn_account_paused', labels: { account: event.account }, set: 0 }]
    case 'MailNotSaved': {
      const labels = { account: known(event.account), code: event.code }
      return [{ name: 'posthorn_save_failures_total', labels, add: 1 }]
    }
    case 'RecordDeadLettered':
      return [{ name: 'posthorn_dead_letters_total', labels: { code: event.code }, add: 1 }]
    case 'FolderSynced': {
      const labels = { account: event.account, folder: event.folder }
      return [
        { name: 'posthorn_messages_received_total', labels, add: event.published },
        { name: 'posthorn_folder_last_synced_seconds', labels, set: now() / 1_000 },
      ]
    }
    case 'MessageFailed':
    case 'FolderTrouble': {
      const labels = { account: event.account, folder: event.folder, code: event.code }
      return [{ name: 'posthorn_folder_troubles_total', labels, add: 1 }]
    }
    case 'UidValidityChanged': {
      const labels = { account: event.account, folder: event.folder }
      return [{ name: 'posthorn_uidvalidity_changes_total', labels, add: 1 }]
    }
    case 'AfterReadFailed': {
      const labels = { account: event.account, folder: event.folder, code: event.code }
      return [{ name: 'posthorn_after_read_failures_total', labels, add: 1 }]
    }
    case 'CommandSettled': {
      const labels = { account: known(event.account), action: event.action, status: event.status }
      return [{ name: 'posthorn_commands_total', labels, add: 1 }]
    }
    case 'Started':
    case 'ConfigReloaded':
    case 'ConfigRejected':
    case 'Listening':
    case 'TopicRisk':
    case 'Stopping':
    case 'Stopped':
    case 'PartitionReady':
    case 'FolderOpened':
      return []
    default:
      return event satisfies never
  }
}
