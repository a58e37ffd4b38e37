import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { defaultParseLimits, type ParseLimits } from '../../src/mail/parse/limits.ts'
import { parseMessage, type WholeMessage } from '../../src/mail/parse/parse-message.ts'
import { parseMessageStream, type AttachmentSink } from '../../src/mail/parse/parse-message-stream.ts'
import type { AttachmentHead, BodyKind } from '../../src/mail/message.ts'
import { hostileMessage } from '../support/hostile-mail.ts'
import { collector, parseInChunks } from '../support/parse-in-chunks.ts'

const sink = (done: (content: Buffer) => void): AttachmentSink => ({
  ...collector(done),
  abort: () => assert.fail('no sink is aborted'),
})

const parseAsStream = async (chunks: Buffer[], limits: ParseLimits): Promise<WholeMessage> => {
  const attachments: WholeMessage['attachments'] = []
  const bodies = new Map<BodyKind, Buffer>()
  const message = await parseMessageStream(
    (async function* () {
      yield* chunks
    })(),
    limits,
    {
      openAttachment: (head: AttachmentHead) => sink((content) => attachments.push({ ...head, content })),
      openLargeBody: async (kind) => sink((content) => bodies.set(kind, content)),
    },
  )
  return {
    message,
    attachments,
    largeBodies: message.largeBodies.map((kind) => ({ kind, content: bodies.get(kind) ?? Buffer.alloc(0) })),
  }
}

const cut = (raw: Buffer, sizes: number[]): Buffer[] => {
  const chunks: Buffer[] = []
  for (let at = 0, index = 0; at < raw.length; index++) {
    const size = sizes[index % sizes.length] ?? 1
    chunks.push(raw.subarray(at, at + size))
    at += size
  }
  return chunks
}

const limits = fc.constantFrom<ParseLimits>(
  defaultParseLimits,
  { ...defaultParseLimits, maxInlineBodyBytes: 20, maxHeaderBytes: 100, maxParts: 3, maxNestingDepth: 2 },
  { ...defaultParseLimits, maxInlineBodyBytes: 5, maxHeaderBytes: 40 },
)

const sizes = fc.oneof(
  fc.constant<number[]>([1]),
  fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 20 }),
  fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 20 }),
)

test('a message reads the same whatever the chunks in which it arrives', async () => {
  await fc.assert(
    fc.asyncProperty(hostileMessage, sizes, limits, async (raw, sizes, limits) => {
      const whole = parseMessage(raw, limits)
      assert.deepEqual(parseInChunks(cut(raw, sizes), limits), whole)
      assert.deepEqual(await parseAsStream(cut(raw, sizes), limits), whole)
    }),
    { numRuns: 3000 },
  )
})
