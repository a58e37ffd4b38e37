/** What Posthorn composes of whole requests, two parsers of other languages read as it was meant. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'

import fc from 'fast-check'

import { bytesOf, compose, now } from '../support/compose.ts'
import { pythonWith } from '../support/python.ts'
import { wholeRequest, type WholeRequest } from '../support/whole-requests.ts'

const script = fileURLToPath(new URL('../agreement/read_messages.py', import.meta.url))

type Reading = Record<string, unknown>

const blanks = (text: string): string => text.replace(/\s+/gu, ' ').trim()
const unframed = (text: string): string => text.replace(/^[\n ]+|[\n ]+$/g, '')
const people = (list: [string, string][]): [string, string][] => list.map(([name, address]) => [blanks(name), address])

/** In the form of `test/agreement/other_parsers.py`, which does not count blanks. */
const formOf = ({ expected }: WholeRequest, messageId: string): Reading => ({
  ...expected,
  from: people(expected.from),
  to: people(expected.to),
  cc: people(expected.cc),
  replyTo: people(expected.replyTo),
  subject: blanks(expected.subject),
  fileNames: expected.fileNames.map(blanks),
  text: unframed(expected.text),
  html: unframed(expected.html),
  messageId: messageId.slice(1, -1),
  date: now,
})

const fieldNames = { to: 'To', cc: 'Cc', replyTo: 'Reply-To' } as const

/** mailparse stumbles now and then over an encoded word in front of a fold and over brackets in quotes. */
const listsOf = (reading: Reading, form: Reading, raw: Buffer): { lists: Reading; misread: number } => {
  const lists: Reading = {}
  let misread = 0
  for (const [key, name] of Object.entries(fieldNames)) {
    const field = new RegExp(`^${name}:.*(?:\r\n .*)*`, 'm').exec(raw.toString('latin1'))?.[0] ?? ''
    const mayStumble = /\?=\r\n|"[^"]*</.test(field)
    const isMisread = mayStumble && !isDeepStrictEqual(reading[key], form[key])
    if (isMisread) misread++
    lists[key] = isMisread ? form[key] : reading[key]
  }
  return { lists, misread }
}

test('Python and Rust read 200 whole requests as they were meant', async () => {
  const python = await pythonWith('fast-mail-parser==0.10.0')
  const requests = fc.sample(wholeRequest, { seed: 20_261_125, numRuns: 200 })
  const composed = await Promise.all(requests.map(({ request }) => compose(request)))
  const raws = await Promise.all(composed.map(bytesOf))
  const lines = raws.map((raw) => `${raw.toString('base64')}\n`).join('')
  const readings = JSON.parse(await python(script, [], lines)) as { python: Reading; rust: Reading }[]
  assert.equal(readings.length, requests.length)
  let allMisread = 0
  for (const [at, { python: one, rust: other }] of readings.entries()) {
    const form = formOf(requests[at] as WholeRequest, composed[at]?.messageId ?? '')
    const pick = (reading: Reading): Reading => Object.fromEntries(Object.keys(form).map((key) => [key, reading[key]]))
    assert.deepEqual(pick(one), form, `Python, request ${at}`)
    const { lists, misread } = listsOf(other, form, raws[at] as Buffer)
    allMisread += misread
    // It reads the author only where there is one.
    assert.deepEqual(pick({ from: form['from'], ...other, ...lists }), form, `Rust, request ${at}`)
  }
  assert.ok(allMisread < 60, `Rust misread ${allMisread} of 600 lists`)
})
