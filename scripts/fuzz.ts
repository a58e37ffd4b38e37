/**
 * Looks for messages that break a rule of reading: `npm run fuzz -- --seconds 600 --seed 1`. The same seed makes the same
 * messages. Each finding is written to `fuzz-findings/`; fix it and put it into the corpus.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { parseArgs } from 'node:util'

import { fuzzParser } from '../test/support/fuzz-parser.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 32) },
  },
})
const seed = Number(values.seed)
console.log(`seed ${seed}`)
const { executions, seconds, slowestMs, findings } = fuzzParser(seed, Number(values.seconds), (so) =>
  console.log(`${so} messages`),
)
console.log(
  `${executions} messages in ${seconds.toFixed(0)} s, the slowest took ${slowestMs.toFixed(1)} ms, ${findings.length} findings`,
)
if (findings.length > 0) {
  mkdirSync('fuzz-findings', { recursive: true })
  for (const { execution, error, message } of findings) {
    writeFileSync(`fuzz-findings/${seed}-${execution}.eml`, message)
    console.log(`#${execution}: ${error}`)
  }
  process.exitCode = 1
}
