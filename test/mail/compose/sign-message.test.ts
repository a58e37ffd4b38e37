import assert from 'node:assert/strict'
import { createHash, createVerify, generateKeyPairSync } from 'node:crypto'
import { Readable } from 'node:stream'
import { describe, test } from 'node:test'

import { Secret } from '../../../src/config/secret.ts'
import { bytesOf, compose } from '../../support/compose.ts'
import { sendAttachment } from '../../support/send-request.ts'

void describe('DKIM', () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const dkim = { domain: 'example.com', selector: 's1', privateKey: new Secret(pem) }

  /** RFC 6376 3.4.2, 3.4.4, 3.7, for what is signed here. */
  const verify = (raw: string): void => {
    const split = raw.indexOf('\r\n\r\n')
    const fields = raw
      .slice(0, split + 2)
      .split(/\r\n(?![ \t])/)
      .filter(Boolean)
    const body = raw.slice(split + 4)
    const signature = fields[0] ?? ''
    const tags = new Map(
      signature
        .slice(signature.indexOf(':') + 1)
        .split(';')
        .map((tag) => [tag.split('=', 1)[0]?.trim(), tag.slice(tag.indexOf('=') + 1).replace(/\s+/g, '')]),
    )
    const relaxed = `${body
      .replace(/[ \t]+/g, ' ')
      .replace(/ (?=\r\n)/g, '')
      .replace(/(?:\r\n)+$/, '')}\r\n`
    assert.equal(tags.get('bh'), createHash('sha256').update(relaxed, 'latin1').digest('base64'))
    const canonical = (field: string): string => {
      const value = field
        .slice(field.indexOf(':') + 1)
        .replace(/\r\n/g, '')
        .replace(/[ \t]+/g, ' ')
        .trim()
      return `${field.slice(0, field.indexOf(':')).toLowerCase().trim()}:${value}`
    }
    const named = (tags.get('h') ?? '')
      .split(':')
      .map((name) => fields.findLast((field) => field.toLowerCase().startsWith(`${name}:`)) ?? '')
    const signed = [...named.map(canonical), canonical(signature.replace(/b=[^;]*$/, 'b='))].join('\r\n')
    assert.ok(
      createVerify('rsa-sha256')
        .update(signed, 'latin1')
        .verify(publicKey, tags.get('b') ?? '', 'base64'),
    )
    for (const name of ['from', 'to', 'subject', 'date', 'message-id'])
      assert.ok(tags.get('h')?.split(':').includes(name))
    assert.deepEqual([tags.get('d'), tags.get('s')], ['example.com', 's1'])
  }

  void test('signs a mail in one piece and a streamed one', async () => {
    const request = { subject: 'Grüße  an alle', text: 'two  blanks \n\nend\n\n\n' }
    verify((await bytesOf(await compose(request, { dkim }))).toString('latin1'))
    const content = { bucket: 'mail', key: 'k', versionId: null, size: 5, sha256: null }
    const openObject = async (): Promise<Readable> => Readable.from([Buffer.from('12'), Buffer.from('345')])
    const streamed = await compose({ ...request, attachments: [sendAttachment({ content })] }, { dkim, openObject })
    const raw = await bytesOf(streamed)
    assert.equal(raw.length, streamed.needs.sizeBytes)
    verify(raw.toString('latin1'))
  })

  void test('fails as the content does, with nothing left that fails unheard', async () => {
    async function* content(): AsyncGenerator<Buffer> {
      yield Buffer.from('12')
      throw new Error('the store is gone')
    }
    const openObject = async (): Promise<Readable> => Readable.from(content())
    const object = { bucket: 'mail', key: 'k', versionId: null, size: 5, sha256: null }
    await assert.rejects(compose({ attachments: [sendAttachment({ content: object })] }, { dkim, openObject }), {
      message: 'the store is gone',
    })
    // Node tells of unheard rejections after the turn.
    await new Promise(setImmediate)
  })
})
