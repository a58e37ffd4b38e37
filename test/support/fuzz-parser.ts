/** The fuzz target: what must hold for every message there is, and a loop that looks for one for which it does not. */
import assert from 'node:assert/strict'

import { contentDisposition, safeContentType } from '../../src/mail/object-headers.ts'
import { attachmentKey } from '../../src/mail/object-key.ts'
import { defaultParseLimits, type ParseLimits } from '../../src/mail/parse/limits.ts'
import { parseMessage, type WholeMessage } from '../../src/mail/parse/parse-message.ts'
import { fuzzedChunks, fuzzedMessage, knownDefects } from './fuzz-mail.ts'
import { seededRandom } from './seeded-random.ts'
import { readCorpus } from './golden.ts'
import { parseInChunks } from './parse-in-chunks.ts'

export interface Finding {
  execution: number
  error: string
  message: Buffer
}

export interface FuzzResult {
  executions: number
  seconds: number
  /** CPU time of the message, of at most 64 KB, that took longest, in ms; the machine's own pauses are in it. */
  slowestMs: number
  findings: Finding[]
}

/** Small bounds are reached by small messages. */
const limitsOf = (choice: number): ParseLimits =>
  choice < 0.7
    ? defaultParseLimits
    : {
        ...defaultParseLimits,
        maxInlineBodyBytes: 50,
        maxHeaderBytes: 200,
        maxParts: 3,
        maxNestingDepth: 2,
        maxAddresses: 2,
      }

const place = { account: 'a', folder: 'INBOX', uidValidity: 1, uid: 1 }

const strings = (value: unknown): string[] => {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(strings) : []
}

/** @throws AssertionError for what no message may lead to */
export const checkReading = (raw: Buffer, { message, attachments }: WholeMessage): void => {
  for (const text of strings(message)) assert.doesNotMatch(text, /\p{Surrogate}/u)
  for (const defect of message.defects) assert.ok(knownDefects.has(defect), defect)
  assert.ok(message.date === null || Number.isSafeInteger(message.date), 'a date that is no time')
  for (const id of [message.messageId, ...message.references])
    assert.ok(id === null || /^<.+>$/s.test(id), 'an id without brackets')
  for (const field of ['from', 'sender', 'replyTo', 'to', 'cc', 'bcc'] as const) {
    for (const { name, address } of message[field]) assert.ok(address !== '' && name !== '', 'an empty address or name')
  }

  const hasEncoding = /base64|quoted-printable|uue|tnef|winmail/i.test(raw.toString('latin1'))
  for (const [at, attachment] of attachments.entries()) {
    const { index, fileName, contentType, content } = attachment
    assert.equal(index, at)
    assert.equal(contentType, contentType.toLowerCase())
    assert.ok(content.length <= raw.length, 'more bytes than the message has')
    assert.ok(hasEncoding || raw.includes(content), 'bytes that the message does not have')
    assert.match(attachmentKey('p', place, attachment), /^p\/a\/INBOX\/1\/1\/\d+-[^/\\\p{C}]+$/u)
    assert.match(contentDisposition(fileName), /^[\x20-\x7e]+$/)
    assert.match(safeContentType(contentType), /^[\x20-\x7e]+$/)
  }
}

export const fuzzParser = (
  seed: number,
  seconds: number,
  told: (executions: number) => void = () => {},
): FuzzResult => {
  const [first, ...rest] = readCorpus().map(({ raw }) => raw)
  assert.ok(first !== undefined)
  const random = seededRandom(seed)
  const start = performance.now()
  const result: FuzzResult = { executions: 0, seconds: 0, slowestMs: 0, findings: [] }
  while (performance.now() - start < seconds * 1000 && result.findings.length < 10) {
    const raw = fuzzedMessage([first, ...rest], random)
    const limits = limitsOf(random())
    const chunks = fuzzedChunks(raw, random)
    result.executions++
    try {
      const before = process.cpuUsage()
      const whole = parseMessage(raw, limits)
      const { user, system } = process.cpuUsage(before)
      result.slowestMs = Math.max(result.slowestMs, (user + system) / 1000)
      checkReading(raw, whole)
      assert.deepEqual(parseInChunks(chunks, limits), whole)
    } catch (error) {
      result.findings.push({ execution: result.executions, error: String(error), message: raw })
    }
    if (result.executions % 10_000 === 0) told(result.executions)
  }
  result.seconds = (performance.now() - start) / 1000
  return result
}
