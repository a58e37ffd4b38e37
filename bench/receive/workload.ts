/**
 * The mail of the benchmarks, made from a seed: the same bytes in each run, so that runs can be compared, and what each
 * message must come out as, so that they can be checked.
 */
import { createHash } from 'node:crypto'
import { seededRandom } from '../../test/support/seeded-random.ts'

export interface BenchMail {
  raw: Buffer
  messageId: string
  /** Of the decoded content of its attachment; null: it has none. */
  sha256: string | null
}

const words =
  'the of order invoice über please find attached our quarterly café figures and terms regards shipment'.split(' ')

const prose = (random: () => number, bytes: number): string => {
  const lines: string[] = []
  for (let length = 0; length < bytes;) {
    const line = Array.from({ length: 11 }, () => words[Math.floor(random() * words.length)]).join(' ')
    lines.push(line)
    length += line.length + 2
  }
  return `${lines.join('\r\n')}\r\n`
}

const toQuotedPrintable = (text: string): string =>
  text
    .replaceAll('=', '=3D')
    .replaceAll(/[^\0-\x7f]/g, (character) =>
      [...Buffer.from(character)].map((byte) => `=${byte.toString(16).toUpperCase()}`).join(''),
    )
    // A soft line break, never within an escape.
    .replaceAll(/(?:=..|[^=\r\n]){24}(?=[^\r\n])/g, '$&=\r\n')

const binary = (random: () => number, bytes: number): Buffer => {
  const content = Buffer.allocUnsafe(bytes)
  for (let at = 0; at + 4 <= bytes; at += 4) content.writeUInt32LE(Math.floor(random() * 4_294_967_296), at)
  for (let at = bytes - (bytes % 4); at < bytes; at += 1) content[at] = 0x5a
  return content
}

const header = (index: number, random: () => number, contentType: string): { messageId: string; head: string } => {
  const token = Math.floor(random() * 1e12).toString(36)
  const messageId = `<${index}.${token}@sender.example>`
  const subject = Buffer.from(`Rechnung № ${index} für August`).toString('base64')
  const head = [
    'Return-Path: <bounce@sender.example>',
    'Received: from mx1.sender.example (mx1.sender.example [192.0.2.1])',
    `\tby mail.example.org (Postfix) with ESMTPS id 4X${token}`,
    `\tfor <user${index}@example.org>; Mon, 3 Aug 2026 10:00:00 +0000 (UTC)`,
    'DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=sender.example; s=s1;',
    `\th=from:to:subject:date; bh=${binary(random, 32).toString('base64')};`,
    `\tb=${binary(random, 96).toString('base64')}`,
    'From: =?utf-8?Q?Caf=C3=A9_M=C3=BCller?= <cafe@sender.example>',
    `To: "User, ${index}" <user${index}@example.org>, Other <other@example.org>`,
    `Subject: =?utf-8?B?${subject}?=`,
    'Date: Mon, 3 Aug 2026 10:00:00 +0000',
    `Message-ID: ${messageId}`,
    'MIME-Version: 1.0',
    `Content-Type: ${contentType}`,
  ].join('\r\n')
  return { messageId, head }
}

const plainMail = (index: number, random: () => number): BenchMail => {
  const { messageId, head } = header(index, random, 'text/plain; charset=utf-8')
  const body = prose(random, 1_400 + random() * 6_000)
  return { raw: Buffer.from(`${head}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n${body}`), messageId, sha256: null }
}

const alternativeMail = (index: number, random: () => number): BenchMail => {
  const { messageId, head } = header(index, random, 'multipart/alternative; boundary="=_b1"')
  const part = (type: string, text: string) =>
    `--=_b1\r\nContent-Type: ${type}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n` +
    toQuotedPrintable(text)
  const text = prose(random, 600 + random() * 2_000)
  const raw = `${head}\r\n\r\n${part('text/plain', text)}${part('text/html', `<p>${text}</p>\r\n`)}--=_b1--\r\n`
  return { raw: Buffer.from(raw), messageId, sha256: null }
}

export const attachmentMail = (index: number, random: () => number, bytes: number): BenchMail => {
  const { messageId, head } = header(index, random, 'multipart/mixed; boundary="=_b1"')
  const content = binary(random, bytes)
  const before =
    `${head}\r\n\r\n--=_b1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n` +
    `${prose(random, 1_500)}\r\n--=_b1\r\nContent-Type: application/pdf; name="a.pdf"\r\n` +
    `Content-Disposition: attachment; filename="a.pdf"\r\nContent-Transfer-Encoding: base64\r\n\r\n`
  const lines: string[] = []
  for (let at = 0; at < bytes; at += 57 * 1024) {
    lines.push(
      content
        .subarray(at, at + 57 * 1024)
        .toString('base64')
        .replaceAll(/.{76}/g, '$&\r\n'),
    )
  }
  const encoded = lines.join('')
  const after = `${encoded.endsWith('\n') ? '' : '\r\n'}--=_b1--\r\n`
  const raw = Buffer.concat([Buffer.from(before), Buffer.from(encoded, 'latin1'), Buffer.from(after)])
  return { raw, messageId, sha256: createHash('sha256').update(content).digest('hex') }
}

/** 80 % text of 2 to 8 KB, 15 % with an attachment of 200 KB, 5 % with one of 1 MB. Made one by one. */
export function* mixedMail(count: number, seed: number): Generator<BenchMail> {
  const random = seededRandom(seed)
  for (let index = 0; index < count; index += 1) {
    const kind = index % 20
    if (kind === 7) yield attachmentMail(index, random, 1_048_576)
    else if (kind % 7 === 3) yield attachmentMail(index, random, 204_800)
    else if (kind % 2 === 0) yield plainMail(index, random)
    else yield alternativeMail(index, random)
  }
}
