/**
 * The main job once around, as a program outside of Posthorn would see it: a request on a topic, the result, the mail
 * as a record, its attachments in the object store, a command, its result, the mail in another folder.
 */
import { createHash, randomBytes } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import type { RecordCodec } from '../avro/codec.ts'
import type { InboundMessage, MailboxCommandResult, RecordName, RecordTypes, SendResult } from '../avro/records.ts'
import type { Config } from '../config/config.ts'
import { PosthornError } from '../errors.ts'
import type { RecordProducer } from '../kafka/record-producer.ts'
import type { ConsumedRecord } from '../kafka/records.ts'
import type { AttachmentStore } from '../mail/attachment-store.ts'
import { connectMailbox } from '../mail/imap-mailbox.ts'
import { demoAccount, demoUser } from './demo-config.ts'

export interface RoundTripDependencies {
  config: Config
  codec: RecordCodec
  store: AttachmentStore
  producer: RecordProducer
  /** Positioned at the end of a topic when it resolves. */
  read: (topic: string) => Promise<AsyncIterable<ConsumedRecord>>
  createId: () => string
  /** A step that a person can follow. */
  say: (text: string) => void
}

export interface RoundTrip {
  request: { id: string; messageId: string }
  result: { status: string }
  inbound: {
    dedupeId: string
    attachments: { fileName: string | null; size: number; sha256: string; bucket: string; key: string }[]
  }
  command: { status: string; toFolder: string | null }
}

const stepTimeoutMs = 60_000
const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex')

export const runRoundTrip = async (deps: RoundTripDependencies): Promise<RoundTrip> => {
  const { config, codec, producer, read, createId, say } = deps
  const { topics } = config.kafka
  const [results, inbound, commandResults] = await Promise.all([
    read(topics.sendResults),
    read(topics.inbound),
    read(topics.commandResults),
  ])
  const publish = async (record: 'SendRequest' | 'MailboxCommand', topic: string, key: string, value: unknown) =>
    producer.send([{ topic, key, value: await codec.encodeInput(record, value, topic) }])

  const attachments = [
    { fileName: 'invoice.pdf', contentType: 'application/pdf', content: randomBytes(200_000) },
    { fileName: 'Grüße.txt', contentType: 'text/plain', content: Buffer.from('line one\nline two\r\nGrüße\n') },
  ]
  const id = createId()
  say(`putting a send request with two attachments on ${topics.sendRequests}`)
  await publish('SendRequest', topics.sendRequests, demoUser.address, {
    id,
    account: demoAccount,
    to: [demoUser.address],
    subject: 'Hello from Posthorn – Grüße',
    text: 'This mail left through Kafka and comes back through Kafka.\n',
    attachments,
  })
  const result: SendResult = await find(deps, results, 'SendResult', topics.sendResults, (one) => one.id === id)
  say(`sent: ${topics.sendResults} says ${result.status}`)
  if (result.status !== 'DELIVERED')
    throw failed(`the mail was not delivered: ${result.error?.message ?? result.status}`)

  const isOurs = (one: InboundMessage) => one.messageId === result.messageId
  const message = await find(deps, inbound, 'InboundMessage', topics.inbound, isOurs)
  say(`received: ${topics.inbound} has ${message.dedupeId}, ${message.attachments.length} attachments`)
  for (const [index, { fileName, content }] of attachments.entries()) {
    const stored = message.attachments[index]
    const bytes = stored === undefined ? null : await buffer(await deps.store.open(stored.object))
    if (bytes === null || stored?.fileName !== fileName || sha256(bytes) !== sha256(content)) {
      throw failed(`attachment ${index} is not in the object store as it was sent`)
    }
    say(`stored: s3://${stored.object.bucket}/${stored.object.key}, ${stored.size} bytes, the same as sent`)
  }

  const commandId = createId()
  say(`putting an archive command on ${topics.commands}`)
  await publish('MailboxCommand', topics.commands, demoAccount, {
    id: commandId,
    account: demoAccount,
    action: 'ARCHIVE',
    target: { uids: [message.uid], uidValidity: message.uidValidity },
  })
  const isAnswer = (one: MailboxCommandResult) => one.id === commandId
  const done = await find(deps, commandResults, 'MailboxCommandResult', topics.commandResults, isAnswer)
  say(`moved: ${topics.commandResults} says ${done.status}, into ${done.toFolder ?? 'no folder'}`)
  if (done.status !== 'DONE') throw failed(`the command failed: ${done.error?.message ?? done.status}`)
  await expectInFolder(config, done.toFolder ?? '', result.messageId)
  say(`seen over IMAP: the mail is in ${done.toFolder ?? ''}`)

  return {
    request: { id, messageId: result.messageId },
    result: { status: result.status },
    inbound: {
      dedupeId: message.dedupeId,
      attachments: message.attachments.map(({ fileName, size, sha256: hash, object: { bucket, key } }) => {
        return { fileName, size, sha256: hash, bucket, key }
      }),
    },
    command: { status: done.status, toFolder: done.toFolder },
  }
}

const failed = (message: string): PosthornError =>
  new PosthornError('INTERNAL', message, {
    stage: 'command',
    action: 'Run it again with --debug and report what it says.',
  })

/** The first record that is meant. @throws PosthornError when it does not come in time */
const find = async <N extends RecordName>(
  { codec, say }: RoundTripDependencies,
  records: AsyncIterable<ConsumedRecord>,
  name: N,
  topic: string,
  isMeant: (value: RecordTypes[N]) => boolean,
): Promise<RecordTypes[N]> => {
  const search = async (): Promise<RecordTypes[N]> => {
    for await (const { value } of records) {
      const decoded = await codec.decode(name, value)
      if (isMeant(decoded)) return decoded
    }
    throw failed(`the records of ${topic} ended without the one that was awaited`)
  }
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(failed(`nothing came on ${topic} within ${stepTimeoutMs / 1_000} s`)),
      stepTimeoutMs,
    )
  })
  say(`waiting for ${topic}`)
  return Promise.race([search(), late]).finally(() => clearTimeout(timer))
}

const expectInFolder = async (config: Config, folder: string, messageId: string): Promise<void> => {
  const imap = config.accounts[demoAccount]?.imap
  if (imap === null || imap === undefined) throw failed('the demo account has no IMAP server')
  const mailbox = await connectMailbox(imap)
  try {
    await mailbox.open(folder, { readOnly: true })
    if ((await mailbox.searchUids({ messageId }, 1)).length === 1) return
    throw failed(`the mail is not in ${folder}`)
  } finally {
    await mailbox.close()
  }
}
