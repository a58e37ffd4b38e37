/**
 * Messages for the fuzzer: the corpus, cut, spliced and damaged where it hurts, by a seeded generator. The same seed
 * gives the same messages.
 */
import { defectList } from '../../src/mail/parse/defects.ts'
import type { Random } from './seeded-random.ts'

export const below = (random: Random, end: number): number => Math.floor(random() * end)

const pick = <T>(random: Random, from: readonly [T, ...T[]]): T => from[below(random, from.length)] ?? from[0]

/** What means something to some part of the parser. */
const tokens = [
  '\r\n',
  '\n',
  '\r',
  '\r\n\r\n',
  '\n\n',
  '\r\n ',
  '\r\n\t',
  ' ',
  '\t',
  '\0',
  '--',
  '--b',
  '--b--',
  '\r\n--b\r\n',
  '\r\n--b--\r\n',
  ':',
  ';',
  ',',
  '"',
  '\\',
  '(',
  ')',
  '<',
  '>',
  '@',
  '[',
  ']',
  '=',
  '=?',
  '?=',
  "''",
  '%',
  '*',
  '.',
  '_',
  '=?utf-8?Q?',
  '=?utf-8?B?',
  '=?iso-2022-jp?B?GyRC?=',
  '=?utf-7?Q?+AOk-?=',
  '=C3=A9',
  '=\r\n',
  '=0',
  'w6k=',
  'w6k',
  '====',
  'Content-Type: ',
  'Content-Type: multipart/mixed; boundary=b\r\n',
  'Content-Type: multipart/digest; boundary=b\r\n',
  'Content-Type: message/rfc822\r\n',
  'Content-Type: message/delivery-status\r\n',
  'Content-Type: text/html; charset=utf-16\r\n',
  'Content-Type: application/ms-tnef; name=winmail.dat\r\n',
  'Content-Type: text/calendar; method=REQUEST\r\n',
  'Content-Transfer-Encoding: base64\r\n',
  'Content-Transfer-Encoding: quoted-printable\r\n',
  'Content-Transfer-Encoding: x\r\n',
  'Content-Transfer-Encoding: x-uuencode\r\n',
  'begin 644 x\r\n',
  'Content-Disposition: attachment; filename=',
  "filename*0*=utf-8''%F0%9F",
  'filename*1*=%98%80',
  'From: ',
  'To: ',
  'Date: ',
  'Subject: ',
  'charset=',
  'charset=utf-7',
  'charset=gb18030',
  'charset=hz-gb-2312',
  'charset=iso-2022-kr',
  '~{',
  '~}',
  'boundary=',
  'boundary="b"',
  'Final-Recipient: rfc822; a@b\r\n',
  '\xe9',
  '\xc3\xa9',
  '\xff\xfe',
  '\xed\xa0\x80',
  '\xf0\x9f\x98',
  '\x1b$B',
  '\x1b(B',
  '+AOk-',
  '\x78\x9f\x3e\x22',
].map((token) => Buffer.from(token, 'latin1')) as [Buffer, ...Buffer[]]

const replace = (bytes: Buffer, from: number, to: number, by: Buffer): Buffer =>
  Buffer.concat([bytes.subarray(0, from), by, bytes.subarray(to)])

type Mutation = (bytes: Buffer, random: Random, other: () => Buffer) => Buffer

/** A stretch, mostly short. */
const stretch = (bytes: Buffer, random: Random): [from: number, to: number] => {
  const from = below(random, bytes.length + 1)
  return [from, Math.min(bytes.length, from + below(random, random() < 0.8 ? 20 : 2000))]
}

/** Where lines begin. */
const lineAt = (bytes: Buffer, random: Random): number => bytes.indexOf(10, below(random, bytes.length + 1)) + 1

const mutations: [Mutation, ...Mutation[]] = [
  (bytes, random) => {
    const copy = Buffer.from(bytes)
    if (copy.length > 0) copy[below(random, copy.length)] = below(random, 256)
    return copy
  },
  (bytes, random) => replace(bytes, ...stretch(bytes, random), Buffer.alloc(0)),
  (bytes, random) => {
    const at = below(random, bytes.length + 1)
    return replace(bytes, at, at, pick(random, tokens))
  },
  (bytes, random) => replace(bytes, ...stretch(bytes, random), pick(random, tokens)),
  (bytes, random) => {
    const [from, to] = stretch(bytes, random)
    const piece = bytes.subarray(from, to)
    return replace(bytes, to, to, Buffer.concat(Array<Buffer>(1 + below(random, 5)).fill(piece)))
  },
  (bytes, random) => bytes.subarray(0, below(random, bytes.length + 1)),
  (bytes, random, other) => {
    const second = other()
    return Buffer.concat([bytes.subarray(0, lineAt(bytes, random)), second.subarray(lineAt(second, random))])
  },
  (bytes, random, other) => {
    const at = lineAt(bytes, random)
    const second = other()
    const from = lineAt(second, random)
    return replace(bytes, at, at, second.subarray(from, second.indexOf(10, from) + 1 || second.length))
  },
  (bytes, random) => {
    const [from, to] = [pick(random, ['\r\n', '\n']), pick(random, ['\r\n', '\n', '\r', ''])]
    return Buffer.from(bytes.toString('latin1').replaceAll(from, to), 'latin1')
  },
  (bytes, random, other) => {
    // A message within a part of another.
    const at = lineAt(bytes, random)
    return replace(bytes, at, at, Buffer.concat([Buffer.from('--b\r\n'), other(), Buffer.from('\r\n--b\r\n')]))
  },
]

/** One message; at most 64 KB. */
export const fuzzedMessage = (corpus: readonly [Buffer, ...Buffer[]], random: Random): Buffer => {
  const other = (): Buffer => pick(random, corpus)
  let bytes = other()
  for (let left = 1 + below(random, 12); left > 0; left--) bytes = pick(random, mutations)(bytes, random, other)
  return bytes.subarray(0, 65_536)
}

export const fuzzedChunks = (bytes: Buffer, random: Random): Buffer[] => {
  const most = pick(random, [1, 7, 100, 3000])
  const chunks: Buffer[] = []
  for (let at = 0; at < bytes.length;) {
    const size = 1 + below(random, most)
    chunks.push(bytes.subarray(at, at + size))
    at += size
  }
  return chunks
}

export const knownDefects: ReadonlySet<string> = new Set(defectList)
