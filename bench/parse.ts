/**
 * How fast messages are parsed, beside mailparser in the same run: `node --import tsx bench/parse.ts`.
 *
 * One line for each workload: medians of paired rounds, so that a noisy machine slows both. Figures are of one core.
 */
import { randomBytes } from 'node:crypto'
import { simpleParser } from 'mailparser'
import { defaultParseLimits } from '../src/mail/parse/limits.ts'
import { parseMessage } from '../src/mail/parse/parse-message.ts'
import { parseMessageStream } from '../src/mail/parse/parse-message-stream.ts'

const rounds = 5

const header = (index: number, contentType: string): string =>
  [
    'Return-Path: <bounce@example.com>',
    'Received: from mx1.example.com (mx1.example.com [192.0.2.1])',
    '\tby mail.example.org (Postfix) with ESMTPS id 4XyZ0k1abc',
    `\tfor <user${index}@example.org>; Mon, 3 Aug 2026 10:00:00 +0000 (UTC)`,
    'DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=s1;',
    `\th=from:to:subject:date; bh=${randomBytes(32).toString('base64')};`,
    `\tb=${randomBytes(96).toString('base64')}`,
    'From: =?utf-8?Q?Caf=C3=A9_M=C3=BCller?= <cafe@example.com>',
    `To: "User, ${index}" <user${index}@example.org>, Other <other@example.org>`,
    `Subject: =?utf-8?B?${Buffer.from(`Rechnung № ${index} für August`).toString('base64')}?=`,
    'Date: Mon, 3 Aug 2026 10:00:00 +0000',
    `Message-ID: <${index}.${randomBytes(8).toString('hex')}@example.com>`,
    'MIME-Version: 1.0',
    `Content-Type: ${contentType}`,
  ].join('\r\n')

const text = (bytes: number): string =>
  'The quick brown fox jumps over the lazy dog, twice a day.\r\n'.repeat(bytes / 59)

const base64Lines = (bytes: number): string => randomBytes(bytes).toString('base64').replace(/.{76}/g, '$&\r\n')

const plainMail = (index: number): Buffer =>
  Buffer.from(`${header(index, 'text/plain; charset=utf-8')}\r\n\r\n${text(2800)}`)

const alternativeMail = (index: number): Buffer =>
  Buffer.from(
    `${header(index, 'multipart/alternative; boundary="=_b1"')}\r\n\r\n--=_b1\r\nContent-Type: text/plain; charset=utf-8\r\n` +
      `Content-Transfer-Encoding: quoted-printable\r\n\r\n${text(2000)}caf=C3=A9\r\n--=_b1\r\n` +
      `Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>${text(6000)}</p>\r\n--=_b1--\r\n`,
  )

const attachmentMail = (index: number, bytes: number): Buffer =>
  Buffer.from(
    `${header(index, 'multipart/mixed; boundary="=_b1"')}\r\n\r\n--=_b1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n${text(2000)}` +
      `\r\n--=_b1\r\nContent-Type: application/pdf; name="a.pdf"\r\nContent-Disposition: attachment; filename="a.pdf"\r\n` +
      `Content-Transfer-Encoding: base64\r\n\r\n${base64Lines(bytes)}\r\n--=_b1--\r\n`,
    'latin1',
  )

interface Workload {
  name: string
  mails: Buffer[]
}

const many = (count: number, make: (index: number) => Buffer): Buffer[] =>
  Array.from({ length: count }, (_, i) => make(i))

const workloads: Workload[] = [
  { name: 'text, 4 KB', mails: many(2000, plainMail) },
  { name: 'alternative, quoted-printable, 9 KB', mails: many(1000, alternativeMail) },
  { name: '200 KB attachment', mails: many(100, (index) => attachmentMail(index, 200_000)) },
  { name: '30 MB attachment', mails: [attachmentMail(0, 30_000_000)] },
]

const seconds = async (work: () => void | Promise<void>): Promise<number> => {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1000
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

const parseAll = (mails: Buffer[]): void => {
  for (const mail of mails) parseMessage(mail, defaultParseLimits)
}

async function* inChunks(mail: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < mail.length; at += 65_536) yield mail.subarray(at, at + 65_536)
}

const discard = { write: (): void => {}, end: (): void => {}, abort: (): void => {} }

const streamAll = async (mails: Buffer[]): Promise<void> => {
  for (const mail of mails) {
    await parseMessageStream(inChunks(mail), defaultParseLimits, {
      openAttachment: () => discard,
      openLargeBody: () => discard,
    })
  }
}

const parseAllWithMailparser = async (mails: Buffer[]): Promise<void> => {
  for (const mail of mails) {
    await simpleParser(mail, {
      skipImageLinks: true,
      skipHtmlToText: true,
      skipTextToHtml: true,
      checksumAlgo: 'sha256',
    })
  }
}

for (const { name, mails } of workloads) {
  const bytes = mails.reduce((sum, mail) => sum + mail.length, 0)
  const times = { whole: [] as number[], stream: [] as number[], mailparser: [] as number[] }
  parseAll(mails)
  for (let round = 0; round < rounds; round++) {
    times.whole.push(await seconds(() => parseAll(mails)))
    times.stream.push(await seconds(() => streamAll(mails)))
    times.mailparser.push(await seconds(() => parseAllWithMailparser(mails)))
  }
  const rate = (kind: keyof typeof times): string => {
    const time = median(times[kind])
    return `${Math.round(mails.length / time)}/s ${Math.round(bytes / 1e6 / time)} MB/s`
  }
  const factor = (median(times.mailparser) / median(times.whole)).toFixed(1)
  console.log(
    `${name}: whole ${rate('whole')}; stream ${rate('stream')}; mailparser ${rate('mailparser')} (${factor} x)`,
  )
}
