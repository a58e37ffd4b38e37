import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { it } from 'node:test'

import { PartBuffers } from '../../src/mail/part-buffers.ts'
import { uploadStream, type UploadPort } from '../../src/mail/upload-stream.ts'

async function* from(text: string): AsyncGenerator<Buffer> {
  for (const letter of text.split('')) yield Buffer.from(letter)
}

async function* failing(): AsyncGenerator<Buffer> {
  yield Buffer.from('abc')
  throw new Error('source')
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

const recording = (changes: Partial<UploadPort> = {}): { calls: string[]; port: UploadPort } => {
  const calls: string[] = []
  const port: UploadPort = {
    putWhole: async (content) => (calls.push(`put ${String(content)}`), 'v'),
    begin: async () => (calls.push('begin'), 'id'),
    putPart: async (id, number, content) => (calls.push(`part ${id} ${number} ${String(content)}`), `tag${number}`),
    complete: async (id, tags) => (calls.push(`complete ${id} ${tags.join()}`), 'v1'),
    abort: async (id) => void calls.push(`abort ${id}`),
    label: async (version, hash) => (calls.push(`label ${version} ${hash}`), 'v2'),
    ...changes,
  }
  return { calls, port }
}

const buffers = new PartBuffers(3, 4)

it('puts whole what fits into one part', async () => {
  const { calls, port } = recording()
  assert.deepEqual(await uploadStream(from('ab'), port, buffers), { versionId: 'v', size: 2, sha256: sha256('ab') })
  assert.deepEqual(calls, ['put ab'])
})

it('uploads the rest in parts and labels it with its hash', async () => {
  const { calls, port } = recording()
  assert.deepEqual(await uploadStream(from('abcdefgh'), port, buffers), {
    versionId: 'v2',
    size: 8,
    sha256: sha256('abcdefgh'),
  })
  assert.deepEqual(calls, [
    'begin',
    'part id 1 abc',
    'part id 2 def',
    'part id 3 gh',
    'complete id tag1,tag2,tag3',
    `label v1 ${sha256('abcdefgh')}`,
  ])
})

it('aborts once the part in flight has come to its end', async () => {
  const events: string[] = []
  const { port } = recording({
    putPart: async () => {
      await new Promise((resolve) => setImmediate(resolve))
      events.push('part ended')
      return 'tag'
    },
    abort: async () => void events.push('abort'),
  })
  await assert.rejects(uploadStream(failing(), port, buffers), /source/)
  assert.deepEqual(events, ['part ended', 'abort'])
})

it('reports the first failure, also when the abort fails', async () => {
  const { port } = recording({
    complete: async () => {
      throw new Error('complete')
    },
    abort: async () => {
      throw new Error('abort')
    },
  })
  await assert.rejects(uploadStream(from('abc'), port, buffers), /complete/)
})

it('does not abort what is complete', async () => {
  const { calls, port } = recording({
    label: async () => {
      throw new Error('label')
    },
  })
  await assert.rejects(uploadStream(from('abc'), port, buffers), /label/)
  assert.ok(!calls.includes('abort id'))
})

it('uses its buffers again, also after a failure, and not before the part in flight has come to its end', async () => {
  const own = new PartBuffers(3, 4)
  const seen = new Set<unknown>()
  const contents: string[] = []
  const { port } = recording({
    putPart: async (_id, _number, content) => {
      seen.add(content.buffer)
      await new Promise((resolve) => setImmediate(resolve))
      contents.push(String(content))
      return 'tag'
    },
  })
  await uploadStream(from('abcdefgh'), port, own)
  await assert.rejects(uploadStream(failing(), port, own), /source/)
  await uploadStream(from('ijklmnop'), port, own)
  assert.equal(seen.size, 2)
  assert.deepEqual(contents, ['abc', 'def', 'gh', 'abc', 'ijk', 'lmn', 'op'])
})
