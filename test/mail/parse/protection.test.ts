import assert from 'node:assert/strict'
import { test } from 'node:test'

import { defaultParseLimits } from '../../../src/mail/parse/limits.ts'
import { parseMessage } from '../../../src/mail/parse/parse-message.ts'

const protectionOf = (...lines: string[]): string =>
  parseMessage(Buffer.from(lines.join('\r\n')), defaultParseLimits).message.protection

const typed = (contentType: string, ...body: string[]): string =>
  protectionOf(`Content-Type: ${contentType}`, '', ...body)

test('S/MIME and PGP/MIME are known by their content types, inside of others too', () => {
  assert.equal(typed('multipart/signed; boundary=b', '--b', '', 'x', '--b--'), 'SIGNED')
  assert.equal(typed('multipart/encrypted; boundary=b', '--b', '', 'x', '--b--'), 'ENCRYPTED')
  assert.equal(typed('application/pkcs7-mime; smime-type=signed-data'), 'SIGNED')
  assert.equal(typed('application/x-pkcs7-mime; smime-type="enveloped-data"; name=smime.p7m'), 'ENCRYPTED')
  assert.equal(typed('application/pkcs7-mime; smime-type=authEnveloped-data'), 'ENCRYPTED')
  assert.equal(typed('application/pkcs7-mime; name=smime.p7m'), 'ENCRYPTED')
  assert.equal(typed('application/pkcs7-mime; smime-type=compressed-data'), 'NONE')
  const within = ['--a', 'Content-Type: multipart/signed; boundary=b', '', '--b', '', 'x', '--b--', '--a--']
  assert.equal(typed('multipart/mixed; boundary=a', ...within), 'SIGNED')
})

test('what is encrypted is that, signed or not', () => {
  const inner = ['--a', 'Content-Type: application/pkcs7-mime; smime-type=enveloped-data', '', 'x', '--a--']
  assert.equal(typed('multipart/signed; boundary=a', ...inner), 'ENCRYPTED')
  const signed = ['--b', 'Content-Type: multipart/signed; boundary=c', '', '--c', '', 'x', '--c--', '--b--']
  assert.equal(typed('multipart/encrypted; boundary=b', ...signed), 'ENCRYPTED')
})

test('PGP in the text is known by its armor, and not by talk about it', () => {
  assert.equal(protectionOf('', '-----BEGIN PGP MESSAGE-----', '', 'x'), 'ENCRYPTED')
  assert.equal(protectionOf('', 'Hello', '-----BEGIN PGP SIGNED MESSAGE-----', 'Hash: SHA256'), 'SIGNED')
  assert.equal(protectionOf('', 'a line with -----BEGIN PGP MESSAGE----- in it'), 'NONE')
  assert.equal(protectionOf('', 'plain'), 'NONE')
})

test('an encrypted mail arrives with its parts to the byte', () => {
  const armor = '-----BEGIN PGP MESSAGE-----\r\n\r\nhQEMA\r\n-----END PGP MESSAGE-----\r\n'
  const lines = [
    'Content-Type: multipart/encrypted; boundary=b',
    '',
    '--b',
    'Content-Type: application/pgp-encrypted',
    '',
  ]
  lines.push('Version: 1', '--b', 'Content-Type: application/octet-stream; name=encrypted.asc', '', armor, '--b--')
  const { attachments } = parseMessage(Buffer.from(lines.join('\r\n')), defaultParseLimits)
  assert.deepEqual(
    attachments.map(({ contentType, content }) => [contentType, content.toString()]),
    [
      ['application/pgp-encrypted', 'Version: 1'],
      ['application/octet-stream', armor],
    ],
  )
})
