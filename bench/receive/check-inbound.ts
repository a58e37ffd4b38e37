/** Whether what Posthorn has published is what the mailbox held: each message once, each attachment byte for byte. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createCodec } from '../../src/avro/codec.ts'
import type { InboundMessage } from '../../src/avro/records.ts'
import { loadSchemas } from '../../src/avro/schema-store.ts'
import type { Config } from '../../src/config/config.ts'
import type { ConsumedRecord } from '../../src/kafka/records.ts'
import { createS3AttachmentStore } from '../../src/mail/s3-attachment-store.ts'

const codec = createCodec({ schemas: loadSchemas(), encoding: 'single-object', registry: null })

export const decodeInbound = ({ value }: ConsumedRecord): Promise<InboundMessage> =>
  codec.decode('InboundMessage', value)

/** @param expected by Message-ID: the hash of the attachment, null where there is none */
export const checkInbound = async (
  config: Config,
  records: readonly ConsumedRecord[],
  expected: ReadonlyMap<string, { sha256: string | null }>,
): Promise<void> => {
  if (config.storage === null) throw new Error('no object store')
  const store = createS3AttachmentStore(config.storage)
  const seen = new Set<string>()
  try {
    for (const record of records) {
      const { messageId, attachments, text } = await decodeInbound(record)
      assert.ok(messageId !== null && !seen.has(messageId), `published twice: ${messageId}`)
      seen.add(messageId)
      const mail = expected.get(messageId)
      assert.ok(mail, `nobody has sent ${messageId}`)
      assert.ok(text !== null)
      assert.deepEqual(
        attachments.map(({ sha256 }) => sha256),
        mail.sha256 === null ? [] : [mail.sha256],
      )
      for (const { object, sha256 } of attachments) {
        const hash = createHash('sha256')
        for await (const chunk of await store.open(object)) hash.update(chunk as Buffer)
        assert.equal(hash.digest('hex'), sha256)
      }
    }
  } finally {
    store.close()
  }
  assert.equal(seen.size, expected.size)
}
