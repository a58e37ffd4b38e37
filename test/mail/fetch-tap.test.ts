/** The tap in front of imapflow's own parser: what it takes, and that everything else reaches that parser unchanged. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import type { Transform } from 'node:stream'
import { ImapFlow } from 'imapflow'
import type { FetchAnswer } from '../../src/mail/fetch-answer.ts'
import { FetchTap } from '../../src/mail/fetch-tap.ts'
import { seededRandom, type Random } from '../support/seeded-random.ts'

interface Response {
  payload: Buffer
  literals: Buffer[]
  next: () => void
}

/** A client that is not connected: its parser is fed by hand. */
const startClient = () => {
  const flow = new ImapFlow({ host: '127.0.0.1', port: 1, logger: false, auth: { user: 'u', pass: 'p' } })
  const parser = (flow as unknown as { streamer: Transform }).streamer
  const responses: string[] = []
  parser.removeAllListeners('readable')
  parser.on('data', ({ payload, literals, next }: Response) => {
    responses.push([payload, ...literals].map((piece) => piece.toString('latin1')).join('|'))
    next()
  })
  const feed = async (chunks: readonly Buffer[]): Promise<void> => {
    for (const chunk of chunks) {
      await new Promise<void>((resolve) => parser.write(chunk, () => resolve()))
    }
    const ended = once(parser, 'end')
    parser.end()
    await ended
  }
  return { flow, feed, responses }
}

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

const cut = (bytes: Buffer, random: Random): Buffer[] => {
  const chunks: Buffer[] = []
  const most = random() < 0.3 ? 4 : 400
  for (let at = 0; at < bytes.length;) {
    const length = 1 + Math.floor(random() * most)
    chunks.push(bytes.subarray(at, at + length))
    at += length
  }
  return chunks
}

/** Content that looks like protocol. */
const traps = [
  '* 1 FETCH (UID 1 BODY[] {3}\r\nabc)\r\n',
  'A1 OK done\r\n',
  ')\r\n',
  '{5}\r\n',
  '\n',
  '\r',
  '\u00e9\0',
  '',
]

const pick = <T>(items: readonly T[], random: Random): T => items[Math.floor(random() * items.length)] as T

const makeContent = (random: Random): string =>
  Array.from({ length: Math.floor(random() * 6) }, () => pick([...traps, 'text '], random)).join('')

interface Made {
  bytes: string
  /** What the tap is to take; null: nothing of it. */
  taken: { uid: number; source: string } | null
}

const makeAnswer = (uid: number, random: Random): Made => {
  const content = makeContent(random)
  const items = [
    `UID ${uid}`,
    ...(random() < 0.5 ? ['FLAGS (\\Seen $Label1 NonJunk)'] : []),
    ...(random() < 0.5 ? ['INTERNALDATE " 1-Feb-2026 10:00:00 +0000"'] : []),
    ...(random() < 0.5 ? ['MODSEQ (12)', 'EMAILID (M1-2)', 'THREADID NIL'] : []),
    `${random() < 0.2 ? 'body[]' : 'BODY[]'} {${content.length}}\r\n${content}`,
  ].sort(() => random() - 0.5)
  const end = random() < 0.2 ? '\n' : '\r\n'
  return { bytes: `* ${uid} FETCH (${items.join(' ')})${end}`, taken: { uid, source: content } }
}

const strange: readonly ((uid: number, content: string) => string)[] = [
  (uid) => `* ${uid} FETCH (FLAGS (\\Seen) UID ${uid})`,
  (uid) => `* ${uid} FETCH (UID ${uid} BODY[] "quoted \\" text")`,
  (uid) => `* ${uid} FETCH (UID ${uid} BODY[] NIL)`,
  (uid, content) => `* ${uid} FETCH (UID ${uid} BODY[]<0> {${content.length}}\r\n${content})`,
  (uid, content) => `* ${uid} FETCH (UID ${uid} BODY[] ~{${content.length}}\r\n${content})`,
  (uid, content) => `* ${uid} FETCH (UID ${uid} BODY[] {${content.length}}\r\n${content} X-NEW {2}\r\nab)`,
  (uid, content) => `* ${uid} FETCH (UID ${uid} FLAGS ("\\\\Seen") BODY[] {${content.length}}\r\n${content})`,
  (uid, content) => `* ${uid} FETCH (BODY[] {${content.length}}\r\n${content})`,
  () => '* 7 EXISTS',
  () => '* OK [ALERT] see {9}\r\n123456789 or not',
  (uid) => `* OK see {3}\r\nabc* ${uid} FETCH (UID ${uid} BODY[] {1}\r\nx)`,
  (_uid, content) => `* LIST () "/" {${content.length}}\r\n${content}`,
  () => `* OK ${'x'.repeat(70_000)}`,
  () => '* BYE',
]

test('complete answers are taken wherever they are cut; every other response reaches the client unchanged', async () => {
  let takenInAll = 0
  for (let seed = 1; seed <= 150; seed += 1) {
    const random = seededRandom(seed)
    const made: Made[] = Array.from({ length: 12 }, (_, index) =>
      random() < 0.6
        ? makeAnswer(index + 1, random)
        : { bytes: `${pick(strange, random)(index + 1, makeContent(random))}\r\n`, taken: null },
    )
    const tapped = startClient()
    const tap = new FetchTap(tapped.flow)
    const taken = new Map<number, string>()
    tap.offerTo(({ uid, source }: FetchAnswer) => {
      if (uid === undefined || source === undefined) return false
      taken.set(uid, source.toString('latin1'))
      return true
    })
    await tapped.feed(cut(latin1(made.map(({ bytes }) => bytes).join('')), random))
    const plain = startClient()
    // Where a line is too long to be held the client gets what comes with it: nothing may be lost then either.
    const left = made.filter(({ taken: expected }) => expected === null || !taken.has(expected.uid))
    await plain.feed([latin1(left.map(({ bytes }) => bytes).join(''))])
    assert.deepEqual(tapped.responses, plain.responses, `seed ${seed}`)
    for (const { taken: expected } of made) {
      if (expected !== null && taken.has(expected.uid)) assert.equal(taken.get(expected.uid), expected.source)
    }
    const hasLongLine = made.some(({ bytes }) => bytes.length > 65_536)
    if (!hasLongLine) {
      assert.deepEqual(
        [...taken.keys()],
        made.flatMap(({ taken: expected }) => (expected === null ? [] : [expected.uid])),
        `seed ${seed}`,
      )
    }
    takenInAll += taken.size
  }
  assert.ok(takenInAll > 800, `${takenInAll} taken`)
})

test('nothing is taken that nobody awaits, nor in the middle of a response', async () => {
  const answer = '* 1 FETCH (UID 1 BODY[] {3}\r\nabc)\r\n'
  const client = startClient()
  const tap = new FetchTap(client.flow)
  const taken: FetchAnswer[] = []
  const parser = (client.flow as unknown as { streamer: Transform }).streamer
  const write = (text: string) => new Promise<void>((resolve) => parser.write(latin1(text), () => resolve()))
  await write(`${answer}* 2 FETCH (UID 2 BODY[] {40}\r\n`)
  tap.offerTo((found) => taken.push(found) > 0)
  await write(answer)
  await write(`5678)\r\n`)
  assert.equal(taken.length, 0)
  await write(answer.slice(0, 30))
  tap.offerTo(null)
  await client.feed([latin1(`${answer.slice(30)}${answer}`)])
  assert.equal(taken.length, 0)
  assert.deepEqual(
    client.responses.map((response) => response.slice(0, 9)),
    ['* 1 FETCH', '* 2 FETCH', '* 1 FETCH', '* 1 FETCH'],
  )
})
