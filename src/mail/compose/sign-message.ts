/**
 * DKIM (RFC 6376), relaxed/relaxed, rsa-sha256. nodemailer's signer does the canonicalization and the field; here the
 * mail is only read through it once, whatever its length, in bounded memory. The mail itself is sent by a second
 * reading, which yields the same bytes.
 */
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

import MessageParser from 'nodemailer/lib/dkim/message-parser.js'
import RelaxedBody from 'nodemailer/lib/dkim/relaxed-body.js'
import sign from 'nodemailer/lib/dkim/sign.js'

import type { DkimConfig } from '../../config/config.ts'
import { PosthornError } from '../../errors.ts'

/** @returns the DKIM-Signature field with its line end, to go before all others */
export const signMessage = async (content: AsyncIterable<Buffer>, dkim: DkimConfig): Promise<Buffer> => {
  const parser = new MessageParser()
  const body = new RelaxedBody()
  const headers = once(parser, 'headers')
  const hash = once(body, 'hash')
  body.resume()
  // All at once: where the content breaks off, each of them fails, and one that nobody awaits would end the process.
  const [[lines], [bodyHash]] = (await Promise.all([
    headers,
    hash,
    pipeline(Readable.from(content, { objectMode: false }), parser, body),
  ])) as [[MessageParser.Header[]], [string], undefined]
  const field = sign(lines, 'sha256', bodyHash, {
    domainName: dkim.domain,
    keySelector: dkim.selector,
    privateKey: dkim.privateKey.reveal(),
  })
  if (field === false) {
    throw new PosthornError('CONFIG_INVALID', `the DKIM key of ${dkim.domain} can't sign`, {
      stage: 'compose',
      retryable: true,
      action: 'smtp.dkim.privateKeyFile must be an RSA private key.',
    })
  }
  return Buffer.from(`${field}\r\n`, 'latin1')
}
