/** The decisions about one send request, with an outbox and a log that a test prescribes. */
import type { RecipientResult, SendRequest } from '../../src/avro/records.ts'
import type { Outbox } from '../../src/consumers/outbox.ts'
import { RequestLog } from '../../src/consumers/request-log.ts'
import { firstHistory, readHistory, type SendHistory } from '../../src/consumers/send-history.ts'
import { SendMail } from '../../src/consumers/send-mail.ts'
import { VerdictWriter } from '../../src/consumers/send-verdict.ts'
import { PosthornError } from '../../src/errors.ts'
import type { PosthornEvent } from '../../src/events.ts'
import type { ConsumedRecord } from '../../src/kafka/records.ts'
import type { Settlement } from '../../src/kafka/settlement-batcher.ts'
import type { DeliveryOutcome } from '../../src/mail/smtp-outcome.ts'
import { codec } from './kafka.ts'
import { sendRequest } from './send-request.ts'

export const topics = {
  sendRequests: 'mail.send.requests',
  sendResults: 'mail.send.results',
  deadLetters: 'mail.dead-letters',
}
export const tiers = [
  { label: '1m', delayMs: 60_000, topic: 'retries.1m' },
  { label: '1h', delayMs: 3_600_000, topic: 'retries.1h' },
]
export const startedAt = 1_700_000_000_000

export const to = (address: string, status: RecipientResult['status'], responseCode: number | null = null) => ({
  address,
  status,
  responseCode,
  enhancedCode: null,
  response: null,
})
export const failure = (code: PosthornError['code'], retryable = true) =>
  new PosthornError(code, 'it failed', { stage: 'reply', retryable })
export const outcome = (
  kind: DeliveryOutcome['kind'],
  recipients: RecipientResult[],
  error = failure('SMTP_DEFERRED'),
) => ({
  kind,
  recipients,
  serverMessageId: null,
  error: kind === 'delivered' ? null : error,
  accountFailure: false,
})

interface Given {
  request?: Partial<SendRequest>
  history?: Partial<SendHistory>
  outbox?: Partial<Outbox> | null
  outcome?: DeliveryOutcome
  log?: (log: RequestLog) => void
  record?: Partial<ConsumedRecord>
}

export const accepted = outcome('delivered', [to('ann@example.com', 'ACCEPTED', 250)])

export const settle = async ({
  request,
  history,
  outbox = {},
  outcome: answer = accepted,
  log,
  record: place,
}: Given) => {
  const events: PosthornEvent[] = []
  const calls: string[] = []
  const except: string[][] = []
  const messageIds: string[] = []
  const fake: Outbox = {
    isPaused: false,
    messageIdOf: () => '<m@x>',
    validate: () => undefined,
    prepare: async (_, messageId, settled) => {
      messageIds.push(messageId)
      except.push([...settled])
      return {
        recipients: [to('ann@example.com', 'DEFERRED')],
        deliver: async () => {
          calls.push('deliver')
          return answer
        },
      }
    },
    wasSent: async () => {
      calls.push('look')
      return false
    },
    save: async (_, messageId) => {
      messageIds.push(messageId)
      calls.push('save')
    },
    ...outbox,
  }
  const now = () => startedAt
  const flow = new SendMail({
    codec,
    verdicts: new VerdictWriter({ codec, topics, emit: (event) => events.push(event), now }),
    outbox: () => (outbox === null ? null : fake),
    sendRequestsTopic: topics.sendRequests,
    partitionCount: 4,
    retry: { tiers, maxAgeMs: 86_400_000 },
    now,
    randomToken: () => 'token',
  })
  const requestLog = new RequestLog({ stateTopic: 'state', partition: 0, windowMs: 1_000, maxIds: 10, now })
  log?.(requestLog)
  const record: ConsumedRecord = {
    topic: topics.sendRequests,
    partition: 0,
    offset: 5,
    timestamp: startedAt - 10,
    key: Buffer.from('k'),
    value: await codec.encode('SendRequest', sendRequest(request), topics.sendRequests),
    headers: [],
    ...place,
  }
  const job = { record, request: sendRequest(request), history: { ...firstHistory(record, startedAt), ...history } }
  const ahead: Settlement[] = []
  const writeAhead = async (one: Settlement): Promise<void> => {
    calls.push('begin')
    ahead.push(one)
  }
  const { signal } = new AbortController()
  const settlement = await flow.settle(job, { log: requestLog, writeAhead, signal })
  const records = settlement?.records ?? []
  const eventsBefore = events.length
  settlement?.onCommitted?.()
  const [result] = records.filter(({ topic }) => topic === topics.sendResults)
  return {
    flow,
    job,
    settlement,
    calls,
    except,
    messageIds,
    ahead,
    events,
    eventsBefore,
    records,
    topics: records.map(({ topic }) => topic),
    result: result === undefined ? null : await codec.decode('SendResult', result.value),
    next: records.find(({ topic }) => topic.startsWith('retries') || topic.endsWith('.steps')) ?? null,
  }
}

export const historyOf = (record: { headers?: ConsumedRecord['headers'] } | null) =>
  readHistory({ headers: record?.headers ?? [] } as unknown as ConsumedRecord)
