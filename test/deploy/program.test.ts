/** The files under dist/program/, which the command runs; `bin/posthorn.js` makes them where they are missing. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import process from 'node:process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { repositoryFile } from './dockerfile.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

test('the bundled command runs, brings the licences along, and leaves packages that are changed by path where they are', () => {
  const version = execFileSync(process.execPath, [`${root}bin/posthorn.js`, '--version'], { encoding: 'utf8' })
  assert.equal(version.trim(), (JSON.parse(repositoryFile('package.json')) as { version: string }).version)
  const files = readdirSync(`${root}dist/program`)
  const code = files
    .filter((name) => name.endsWith('.js'))
    .map((name) => readFileSync(`${root}dist/program/${name}`, 'utf8'))
    .join('\n')
  // Of two copies of kafkajs only one would be changed.
  assert.match(code, /from "kafkajs"/)
  assert.doesNotMatch(code, /node_modules\/kafkajs\/src/)
  assert.match(readFileSync(`${root}dist/program/THIRD-PARTY.txt`, 'utf8'), /^imapflow \d/m)
})
