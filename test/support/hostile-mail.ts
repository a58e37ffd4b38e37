/** Generators of mail that nobody should send: pieces of real syntax in any order, and plain noise. */
import * as fc from 'fast-check'

const line = fc.constantFrom(
  '',
  '--a',
  '--a--',
  '--ab',
  '--ab--',
  '--a-- ',
  '--a\t',
  '--',
  '---',
  '--ax',
  'From: A <a@example.com>',
  'To: b@example.com, C <c@example.com',
  ' d@example.com',
  'Subject: =?utf-8?Q?=C3?= =?utf-8?Q?=A9?=',
  'Subject: caf\xe9',
  'Content-Type: multipart/mixed; boundary=a',
  'Content-Type: multipart/alternative; boundary="ab"',
  'Content-Type: multipart/digest; boundary=a--',
  'Content-Type: text/plain; charset=utf-8',
  'Content-Type: text/plain; charset=utf-7',
  'Content-Type: text/plain; charset=iso-2022-jp',
  'Content-Type: text/plain; charset=gb18030',
  'Content-Type: text/plain; charset=x-none',
  'Content-Type: text/html',
  'Content-Type: text/html; name=x.html',
  'Content-Type: message/rfc822',
  'Content-Type: message/delivery-status',
  'Content-Type: application/pdf; name="a.pdf"',
  "Content-Disposition: attachment; filename*0*=utf-8''%C3; filename*1*=%A9.txt",
  'Content-Transfer-Encoding: base64',
  'Content-Transfer-Encoding: quoted-printable',
  'Action: failed',
  'no field',
  'QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVph',
  'QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVph',
  'QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWV-_',
  'QUI=',
  'Q!UI',
  'Q',
  '____ footer ____',
  'caf=C3=A9 =',
  'caf=E9  ',
  '=',
  '=4',
  '=  ',
  '> quoted ',
  '>> deeper ',
  '-- ',
  ' stuffed ',
  'gr\xc3\xbc\xdfe',
  'gr\xc3\xbc\xc3\x9fe',
  '\xf0\x9f\x98\x80',
  '+AOk-+ADw-',
  '\x1b$B$3$s\x1b(B',
)

const lineBreak = fc.constantFrom('\r\n', '\r\n', '\r\n', '\n', '\n', '\r', '')

const syntax = fc
  .array(fc.tuple(line, lineBreak), { maxLength: 40 })
  .map((lines) => Buffer.from(lines.map(([text, end]) => text + end).join(''), 'latin1'))

const noise = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes))

/** Noise after a beginning that makes a parser look closely. */
const framedNoise = fc
  .tuple(syntax, noise, syntax)
  .map(([before, bytes, after]) => Buffer.concat([before, bytes, after]))

export const hostileMessage: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 8, arbitrary: syntax },
  { weight: 1, arbitrary: noise },
  { weight: 2, arbitrary: framedNoise },
)
