import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { Secret } from '../../src/config/secret.ts'
import { TokenCipher } from '../../src/oauth/token-cipher.ts'
import { TokenTopic, type TokenTopicOptions } from '../../src/oauth/token-topic.ts'

type Reader = Awaited<ReturnType<TokenTopicOptions['read']>>

test('a topic that is closed while its reader is being opened closes that reader as well', async () => {
  let open!: (reader: Reader) => void
  const reading = new Promise<Reader>((resolve) => (open = resolve))
  const topic = new TokenTopic({
    topic: 'tokens',
    read: () => reading,
    producer: { send: async () => undefined, close: async () => undefined },
    cipher: new TokenCipher(new Secret(randomBytes(32).toString('base64')), []),
    patience: 'worker',
    onTrouble: () => undefined,
    now: () => 0,
    random: () => 0,
  })
  const closing = topic.close()
  let closes = 0
  // An empty topic: nothing ever comes.
  const next = () => new Promise<never>(() => undefined)
  open({ close: async () => void (closes += 1), [Symbol.asyncIterator]: () => ({ next }) })
  await closing
  assert.equal(closes, 1)
})
