import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import fc from 'fast-check'

import { bytesOf, compose } from '../support/compose.ts'
import { parsers, sha, type Seen } from '../support/parsers.ts'
import { sendAttachment } from '../support/send-request.ts'

void describe('what is composed is read as it was meant', () => {
  const words = fc.string({
    unit: fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom('a', 'B', '7', '-', '.', '=', '?', '_', '"') },
      {
        weight: 1,
        arbitrary: fc.constantFrom('ü', 'ß', '漢', '🎉', 'ע', '\\', '(', ')', ',', ';', '<', '>', '@', ':'),
      },
    ),
    minLength: 1,
    maxLength: 12,
  })
  const phrase = fc.array(words, { minLength: 1, maxLength: 8 }).map((each) => each.join(' '))
  const text = fc.array(phrase, { minLength: 1, maxLength: 12 }).map((each) => each.join('\n'))
  const fileName = fc
    .tuple(fc.stringMatching(/^[A-Za-z0-9äöü漢 ()'_-]{1,30}$/), fc.constantFrom('.pdf', '.txt', ''))
    .map(([base, ending]) => `${base.trim() || 'x'}${ending}`)
  const attachment = fc.record({
    fileName,
    contentType: fc.constantFrom('application/pdf', 'image/png', 'application/x-any'),
    content: fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  })
  const request = fc.record({
    subject: phrase,
    name: phrase,
    text: fc.option(text),
    html: fc.option(text.map((each) => `<p>${each}</p>`)),
    attachments: fc.array(attachment, { maxLength: 3 }),
  })

  for (const [name, parse] of Object.entries(parsers)) {
    void test(`by ${name}`, async () => {
      await fc.assert(
        fc.asyncProperty(request, async (each) => {
          const message = await compose({
            to: [`"${each.name.replace(/["\\]/g, '\\$&')}" <ann@example.com>`],
            subject: each.subject,
            text: each.text,
            html: each.html,
            attachments: each.attachments.map((one) => sendAttachment(one)),
          })
          const seen = await parse(await bytesOf(message))
          const expected: Seen = {
            subject: each.subject,
            from: ['Support|support@example.com'],
            to: [`${each.name}|ann@example.com`],
            messageId: message.messageId,
            text: each.text ?? (each.html === null && each.attachments.length === 0 ? '' : null),
            html: each.html,
            attachments: each.attachments.map((one) => [one.fileName, one.contentType, sha(one.content)]),
          }
          assert.deepEqual(
            { ...seen, text: seen.text === '' ? null : seen.text },
            { ...expected, text: expected.text === '' ? null : expected.text },
          )
        }),
        { numRuns: 150 },
      )
    })
  }
})
