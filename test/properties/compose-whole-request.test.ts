/** Everything that a request can say reads as it was meant; `test/integration/compose-agreement.test.ts` asks other parsers. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import type { Address, ParsedMessage } from '../../src/mail/message.ts'
import { defaultParseLimits } from '../../src/mail/parse/limits.ts'
import { parseMessage } from '../../src/mail/parse/parse-message.ts'
import { bytesOf, compose, now } from '../support/compose.ts'
import { wholeRequest } from '../support/whole-requests.ts'
import { createHash } from 'node:crypto'

/** UTF-8 in addresses (RFC 6532) is no fault, and a name may look like an encoded word and be none. */
const harmless = new Set([
  'header value: 8-bit bytes without an encoding; read as UTF-8',
  'encoded word: broken; left as written',
])

const people = (list: Address[]): [string, string][] => list.map(({ name, address }) => [name ?? '', address])
const bare = (id: string | null): string => id?.slice(1, -1) ?? ''
const valueOf = ({ headers }: ParsedMessage, name: string): string | undefined =>
  headers.find((field) => field.name === name)?.value

const priorities = { HIGH: '1 (Highest)', NORMAL: '3 (Normal)', LOW: '5 (Lowest)' }

test('a whole request is composed and read as it was meant, with nothing to repair', async () => {
  await fc.assert(
    fc.asyncProperty(wholeRequest, async ({ request, expected }) => {
      const composed = await compose(request)
      const { message, attachments } = parseMessage(await bytesOf(composed), {
        ...defaultParseLimits,
        maxInlineBodyBytes: 1e6,
      })
      assert.deepEqual(
        {
          subject: message.subject,
          from: people(message.from),
          to: people(message.to),
          cc: people(message.cc),
          replyTo: people(message.replyTo),
          inReplyTo: message.inReplyTo === null ? [] : [bare(message.inReplyTo)],
          references: message.references.map(bare),
          text: message.text ?? '',
          html: message.html ?? '',
          fileNames: attachments.map(({ fileName }) => fileName ?? ''),
          contentTypes: attachments.map(({ contentType }) => contentType),
          contentIds: attachments.map(({ contentId }) => bare(contentId)),
          dispositions: attachments.map(({ disposition }) => disposition.toLowerCase()),
          contents: attachments.map(({ content }) => [
            content.length,
            createHash('sha256').update(content).digest('hex'),
          ]),
        },
        expected,
      )
      assert.deepEqual(message.bcc, [], 'blind copies are in no field')
      assert.deepEqual([message.messageId, message.date], [composed.messageId, now])
      for (const [name, value] of Object.entries(request.headers ?? {})) assert.equal(valueOf(message, name), value)
      const priority = request.priority ?? null
      assert.equal(valueOf(message, 'X-Priority'), priority === null ? undefined : priorities[priority])
      assert.deepEqual(
        message.defects.filter((defect) => !harmless.has(defect)),
        [],
      )
    }),
    { numRuns: 300 },
  )
})
