/** The one table from events to log lines: level and sentence. The fields go along as they are. */
import type { Emit, PosthornEvent } from './events.ts'

type Level = 'debug' | 'info' | 'warn' | 'error'

export interface LogSink {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

const describe = (event: PosthornEvent): [Level, string] => {
  switch (event.type) {
    case 'Started':
      return ['info', 'started']
    case 'Listening':
      return ['info', 'health, readiness and metrics are served']
    case 'ConfigReloaded':
      return event.restartNeeded.length === 0
        ? ['info', 'the configuration was read again']
        : ['warn', 'the configuration was read again; some of its changes need a restart']
    case 'ConfigRejected':
      return ['error', 'the configuration was read again and is not taken over']
    case 'TopicRisk':
      return ['warn', 'a topic may lose records']
    case 'Stopping':
      return ['info', 'stopping: settling what is in flight']
    case 'Stopped':
      return ['info', 'stopped']
    case 'GroupJoined':
      return ['info', 'joined the consumer group']
    case 'PartitionReady':
      return ['debug', 'owns a partition']
    case 'KafkaTrouble':
      return ['warn', 'trouble with Kafka, trying again']
    case 'RecordsLost':
      return ['error', 'records have gone from a topic before they were taken: they are lost']
    case 'MailSettled':
      return [event.status === 'DELIVERED' ? 'debug' : 'info', 'send request settled']
    case 'DeliveriesAbandoned':
      return ['warn', 'a partition was lost with deliveries under way: their outcome is not recorded']
    case 'SmtpTrouble':
      return ['warn', 'trouble with an SMTP server, trying again']
    case 'AccountPaused':
      return ['error', 'the account is refused: it waits for a person']
    case 'AccountResumed':
      return ['info', 'the account is accepted again']
    case 'MailNotSaved':
      return event.retryInMs === null
        ? ['error', 'a delivered mail could not be saved in its folder']
        : ['warn', 'a delivered mail is not in its folder yet, trying again']
    case 'RecordDeadLettered':
      return ['warn', 'record put on the dead letters']
    case 'FolderOpened':
      return ['info', 'watching a folder']
    case 'FolderSynced':
      return [event.published > 0 ? 'info' : 'debug', 'folder synced']
    case 'FolderTrouble':
      return ['warn', 'trouble with a folder, trying again']
    case 'MessageFailed':
      return ['warn', 'a message could not be taken, trying it again while the folder goes on']
    case 'UidValidityChanged':
      return ['error', 'UIDVALIDITY changed: the server has renumbered the folder']
    case 'AfterReadFailed':
      return ['warn', 'after-read action failed, trying again']
    case 'CommandSettled':
      return ['info', 'mailbox command settled']
    default:
      return event satisfies never
  }
}

export const logEvents =
  (sink: LogSink): Emit =>
  (event) => {
    const [level, message] = describe(event)
    const { type, ...fields } = event
    sink[level]({ event: type, ...fields }, message)
  }
