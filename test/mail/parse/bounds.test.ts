/** Messages made to cost time or memory: each is read within a second, and what is over a bound is told. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { defaultParseLimits } from '../../../src/mail/parse/limits.ts'
import { parseMessage } from '../../../src/mail/parse/parse-message.ts'

const mixed = (parts: string, extra = ''): string =>
  `From: a@example.com\r\n${extra}Content-Type: multipart/mixed; boundary=b\r\n\r\n${parts}\r\n--b--\r\n`

const nested = (depth: number, type: (level: number) => string): string => {
  const lines: string[] = []
  for (let level = 0; level < depth; level++) lines.push(`Content-Type: ${type(level)}`, '', `--b${level}`)
  return [...lines, 'Content-Type: text/plain', '', 'deep'].join('\r\n')
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')

/** What each is made of, and a defect that it must tell; '' where it is read in full. */
const bombs: Record<string, [message: () => string, defect: string]> = {
  '100,000 parts': [() => mixed('\r\n--b\r\n\r\nx'.repeat(100_000)), 'parts: more than the bound'],
  '100,000 parts with file names': [
    () => mixed('\r\n--b\r\nContent-Disposition: attachment; filename=a\r\n\r\nx'.repeat(100_000)),
    'parts: more than the bound',
  ],
  '300,000 delimiters and nothing else': [() => mixed('\r\n--b'.repeat(300_000)), 'parts: more than the bound'],
  'multiparts 10,000 deep': [
    () => nested(10_000, (level) => `multipart/mixed; boundary=b${level}`),
    'multipart: nested deeper than the bound',
  ],
  'multiparts 10,000 deep with one boundary': [
    () => nested(10_000, () => 'multipart/mixed; boundary=b0').replace(/--b\d+/g, '--b0'),
    'multipart: nested deeper than the bound',
  ],
  'messages 10,000 deep': [() => nested(10_000, () => 'message/rfc822').replace(/\r\n--b\d+/g, ''), ''],
  'a header line of 1 MB': [() => `Subject: ${'x'.repeat(1_000_000)}\r\n\r\nx`, 'header value: longer than the bound'],
  'a header of 4 MB': [() => `${'X-Field: value\r\n'.repeat(300_000)}\r\nx`, 'header: longer than the bound'],
  'a header of 4 MB without a line break': [() => 'x'.repeat(4_000_000), 'header: longer than the bound'],
  '60,000 header fields': [() => `${'X: y\r\n'.repeat(60_000)}\r\nx`, 'header: more fields than the bound'],
  'a header of folds': [() => `Subject: a${'\r\n b'.repeat(250_000)}\r\n\r\nx`, 'header value: longer than the bound'],
  'a header of lines that are no fields': [() => `${'no field\r\n'.repeat(100_000)}From: a@b\r\n\r\nx`, ''],
  'a header of nearly fields': [() => `${'a b: c\r\n'.repeat(120_000)}From: a@b\r\n\r\nx`, ''],
  '100,000 addresses': [() => `To: ${'a@example.com, '.repeat(66_000)}\r\n\r\nx`, 'address list: more addresses'],
  '100,000 addresses without a comma': [
    () => `To: ${'a@example.com\r\n '.repeat(58_000)}\r\n\r\nx`,
    'address list: more addresses',
  ],
  '100,000 To fields': [() => `${'To: a@b\r\n'.repeat(100_000)}\r\nx`, 'address list: more addresses'],
  'open comments': [() => `To: ${'('.repeat(1_000_000)}\r\n\r\nx`, ''],
  'nested comments': [() => `To: ${'('.repeat(400_000)}${')'.repeat(400_000)} a@b\r\n\r\nx`, ''],
  'open quotes': [() => `To: ${'"a '.repeat(300_000)}\r\n\r\nx`, ''],
  'quoted escapes': [() => `To: "${'\\"'.repeat(450_000)}\r\n\r\nx`, ''],
  'open angle brackets': [() => `To: ${'<'.repeat(1_000_000)}\r\n\r\nx`, ''],
  'angle brackets with quotes': [() => `To: ${'<"'.repeat(400_000)}\r\n\r\nx`, ''],
  'routes that never end': [() => `To: ${'<@a,'.repeat(200_000)}\r\n\r\nx`, ''],
  'groups in groups': [() => `To: ${'g: '.repeat(300_000)}${';'.repeat(10_000)}\r\n\r\nx`, ''],
  'an address of dots': [() => `To: ${'. '.repeat(450_000)}a@b\r\n\r\nx`, ''],
  'an address of spaced words': [() => `To: ${'a . '.repeat(240_000)}@ b\r\n\r\nx`, ''],
  'an address of at signs': [() => `To: ${'@ '.repeat(450_000)}\r\n\r\nx`, ''],
  'open brackets': [() => `To: ${'a@['.repeat(300_000)}\r\n\r\nx`, ''],
  colons: [() => `To: ${':'.repeat(900_000)}\r\n\r\nx`, ''],
  'encoded words': [() => `Subject: ${'=?utf-8?Q?a?= '.repeat(65_000)}\r\n\r\nx`, ''],
  'encoded words, each in another charset': [
    () => `Subject: ${Array.from({ length: 40_000 }, (_, at) => `=?x-${at}?B?YQ==?= `).join('')}\r\n\r\nx`,
    'encoded word: unknown charset',
  ],
  'beginnings of encoded words': [() => `Subject: ${'=?utf-8?Q?'.repeat(100_000)}\r\n\r\nx`, 'encoded word: broken'],
  'beginnings of beginnings': [() => `Subject: ${'=?'.repeat(500_000)}\r\n\r\nx`, 'encoded word: broken'],
  'question marks in an encoded word': [() => `Subject: =?utf-8?Q?${'?a'.repeat(500_000)}\r\n\r\nx`, ''],
  'one-character base64 words': [() => `Subject: ${'=?utf-8?B?Y?= '.repeat(70_000)}\r\n\r\nx`, ''],
  parameters: [() => `Content-Type: text/plain${'; a=b'.repeat(200_000)}\r\n\r\nx`, ''],
  'parameters with names of their own': [
    () => `Content-Type: text/plain${Array.from({ length: 100_000 }, (_, at) => `; a${at}=b`).join('')}\r\n\r\nx`,
    '',
  ],
  'sections of a file name': [
    () =>
      mixed(
        `--b\r\nContent-Disposition: attachment${Array.from({ length: 50_000 }, (_, at) => `;\r\n filename*${at}*=%41`).join('')}\r\n\r\nx`,
      ),
    '',
  ],
  'a file name of 900,000 characters': [
    () => mixed(`--b\r\nContent-Disposition: attachment; filename="${'x'.repeat(900_000)}"\r\n\r\nx`),
    'parameter: longer than the bound',
  ],
  'a parameter of names': [() => `Content-Type: text/plain; a=${' name'.repeat(180_000)}\r\n\r\nx`, ''],
  'a parameter of blanks': [() => `Content-Type: text/plain; a=${' '.repeat(900_000)}b\r\n\r\nx`, ''],
  'a parameter of comments': [() => `Content-Type: text/plain ${'(;'.repeat(400_000)}\r\n\r\nx`, ''],
  'a transfer encoding of comments': [() => `Content-Transfer-Encoding: ${'('.repeat(900_000)}\r\n\r\nx`, ''],
  'a date of blanks': [() => `Date: ${' '.repeat(900_000)}\r\n\r\nx`, ''],
  'a date of comments': [() => `Date: ${'('.repeat(900_000)}\r\n\r\nx`, 'date: unreadable'],
  references: [() => `References: ${'<a@b> '.repeat(160_000)}\r\n\r\nx`, 'references: more than the bound'],
  'references that are never closed': [() => `References: ${'<'.repeat(900_000)}\r\n\r\nx`, ''],
  'references without brackets': [() => `References: ${'a '.repeat(450_000)}\r\n\r\nx`, 'references: more'],
  'base64 without line breaks': [
    () => `Content-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\n${'QUJD'.repeat(1_000_000)}`,
    '',
  ],
  'base64 in lines of one character': [
    () => `Content-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\n${'Q\r\n'.repeat(1_000_000)}`,
    '',
  ],
  'base64 of padding': [
    () => `Content-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\n${'Q===\r\n'.repeat(600_000)}`,
    '',
  ],
  'base64 of garbage': [
    () => `Content-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\n${'!!-_~ \r\n'.repeat(1_000_000)}`,
    'base64: characters outside the alphabet',
  ],
  'base64 of lines of padding': [
    () => `Content-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\n${'=\n'.repeat(2_000_000)}`,
    '',
  ],
  'uuencode of empty lines': [
    () => `Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 x\r\n${'\r\n'.repeat(2_000_000)}`,
    'uuencode: no begin or no end',
  ],
  'uuencode that never begins': [
    () => `Content-Transfer-Encoding: x-uuencode\r\n\r\n${'x'.repeat(4_000_000)}`,
    'uuencode: no begin or no end',
  ],
  'quoted-printable of equals signs': [
    () => `Content-Type: application/x\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n${'='.repeat(4_000_000)}`,
    'quoted-printable: broken escapes',
  ],
  'quoted-printable of blanks': [
    () => `Content-Type: application/x\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n${' '.repeat(4_000_000)}x`,
    '',
  ],
  'quoted-printable of escapes': [
    () => `Content-Transfer-Encoding: quoted-printable\r\n\r\n${'=3D'.repeat(1_000_000)}`,
    '',
  ],
  'text of line breaks': [() => `\r\n${'\r\n'.repeat(2_000_000)}`, ''],
  'a message of carriage returns': [() => `Subject: x${'\r'.repeat(4_000_000)}`, 'line breaks: carriage returns alone'],
  'text of carriage returns': [() => `\r\n${'\r'.repeat(1_000_000)}`, ''],
  'text of dashes': [() => mixed(`--b\r\n\r\n${'--\r\n'.repeat(1_000_000)}`), ''],
  'text of one long line of dashes': [() => mixed(`--b\r\n\r\n${'-'.repeat(4_000_000)}`), ''],
  'delimiters nearly right': [() => mixed(`--b\r\n\r\n${'--c\r\n'.repeat(800_000)}`), ''],
  'a delimiter followed by blanks': [() => mixed(`--b\r\n\r\n--b${' '.repeat(4_000_000)}x`), ''],
  'text in UTF-7': [() => `Content-Type: text/plain; charset=utf-7\r\n\r\n${'+AOk'.repeat(1_000_000)}`, ''],
  'text in UTF-7 of one character a shift': [
    () => `Content-Type: text/plain; charset=utf-7\r\n\r\n${'+AOk-'.repeat(800_000)}`,
    '',
  ],
  'text in ISO-2022-JP of escapes': [
    () => `Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n${'\x1b$B\x1b(B'.repeat(400_000)}`,
    '',
  ],
  'text in ISO-2022-JP of 8-bit lines': [
    () => `Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n${'\xe9\n\xc3\xa9\n'.repeat(800_000)}`,
    '',
  ],
  'text in HZ of shifts': [() => `Content-Type: text/plain; charset=hz-gb-2312\r\n\r\n${'~{~}'.repeat(1_000_000)}`, ''],
  'text in GB18030 that is none': [
    () => `Content-Type: text/plain; charset=gb18030\r\n\r\n${'\x810\x810'.repeat(400_000)}`,
    '',
  ],
  'text in UTF-16': [() => `Content-Type: text/plain; charset=utf-16\r\n\r\n${'\xd8\0'.repeat(4_000_000)}`, ''],
  'text undeclared and in no charset': [() => `\r\n${'\xe9\xe8'.repeat(1_000_000)}`, 'charset: none declared'],
  'a delivery report of 100,000 recipients': [
    () =>
      `Content-Type: message/delivery-status\r\n\r\n${'Final-Recipient: rfc822; a@b\r\nAction: failed\r\n\r\n'.repeat(100_000)}`,
    '',
  ],
  'a delivery report of empty lines': [
    () => `Content-Type: message/delivery-status\r\n\r\n${'\r\n \r\n'.repeat(1_000_000)}Action: failed`,
    '',
  ],
  'a feedback report of recipients': [
    () => `Content-Type: message/feedback-report\r\n\r\n${'Original-Rcpt-To: a@b\r\n'.repeat(100_000)}`,
    '',
  ],
  'an unknown content type of 900,000 characters': [() => `Content-Type: ${'x/'.repeat(450_000)}\r\n\r\nx`, ''],
  'a boundary of 900,000 characters': [
    () => `Content-Type: multipart/mixed; boundary="${'b'.repeat(900_000)}"\r\n\r\n--bbb\r\n\r\nx`,
    '',
  ],
  'a base64 body that says what it is in a word': [
    () => `Subject: =?utf-8?B?${base64('x'.repeat(500_000))}?=\r\n\r\nx`,
    '',
  ],
}

describe('a message made to be slow is read within a second', () => {
  for (const [name, [message, defect]] of Object.entries(bombs)) {
    test(name, () => {
      const raw = Buffer.from(message(), 'latin1')
      const start = process.cpuUsage()
      const { message: parsed } = parseMessage(raw, defaultParseLimits)
      const { user, system } = process.cpuUsage(start)
      assert.ok(parsed.defects.some((each) => each.startsWith(defect)) || defect === '', parsed.defects.join('; '))
      assert.ok(user + system < 1_000_000, `${(user + system) / 1e6} s of CPU for ${raw.length} bytes`)
    })
  }
})
