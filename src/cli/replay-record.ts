/** What replaying a dead letter publishes. */
import type { MailboxCommandInput } from '../avro/records.ts'
import type { Config } from '../config/config.ts'
import { PosthornError } from '../errors.ts'
import type { ConsumedRecord, OutgoingRecord } from '../kafka/records.ts'
import { sendStepsTopic } from '../config/derived-topics.ts'

export interface Replay {
  topic: string
  key: OutgoingRecord['key']
  /** The source's own bytes; or, for a message that was received, a command that has its mailbox read it again. */
  content: { bytes: Buffer | null } | { command: MailboxCommandInput }
  headers: ConsumedRecord['headers']
}

const impossible = (why: string, action: string): PosthornError =>
  new PosthornError('USAGE_INVALID', `it can't be replayed: ${why}`, { stage: 'publish', action })

const decode = (part: string): string => {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

/**
 * Pure.
 *
 * @param source the header `dead-letter-source`: `topic/partition/offset`, or the dedupe id of a message
 * @throws PosthornError `USAGE_INVALID`: nothing can be made of it
 */
export const replayOf = (
  record: ConsumedRecord,
  source: string,
  { topics }: Pick<Config['kafka'], 'topics'>,
  retryTopics: readonly string[],
  id: string,
): Replay => {
  const headers = record.headers.filter(({ name }) => !name.startsWith('dead-letter-'))
  const parts = source.split('/')
  if (parts.length === 4) {
    const [account = '', folder = '', uidValidity, uid] = parts
    const target = { uids: [Number(uid)], uidValidity: Number(uidValidity) }
    const command: MailboxCommandInput = {
      id,
      account: decode(account),
      action: 'REDELIVER',
      fromFolder: decode(folder),
      target,
    }
    return { topic: topics.commands, key: command.account, content: { command }, headers: [] }
  }
  if (parts.length !== 3) {
    throw impossible('its value was too large to be kept', 'Correct the cause, and publish it again at its source.')
  }
  const [topic = ''] = parts
  const isSend = [topics.sendRequests, sendStepsTopic(topics), ...retryTopics].includes(topic)
  if (!isSend && topic !== topics.commands) {
    throw impossible(`it came from ${topic}, which this configuration does not read`, 'Check kafka.topics.')
  }
  // A retry or a step begins anew as a request: its history is not in the dead letter.
  const to = isSend ? topics.sendRequests : topic
  return { topic: to, key: record.key, content: { bytes: record.value }, headers }
}
