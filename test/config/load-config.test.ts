import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'

import { loadConfig } from '../../src/config/load-config.ts'
import { PosthornError } from '../../src/errors.ts'
import { certificate } from './support.ts'

it('reads files relative to the folder of the configuration', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-config-'))
  t.after(() => rmSync(folder, { recursive: true }))
  mkdirSync(join(folder, 'tls'))
  writeFileSync(join(folder, 'tls', 'ca.pem'), certificate)
  writeFileSync(
    join(folder, 'posthorn.yaml'),
    'kafka: { brokers: [k:1], ssl: { caFile: tls/ca.pem }, group: ${GROUP} }',
  )
  const config = loadConfig(join(folder, 'posthorn.yaml'), { GROUP: 'g' })
  assert.equal(config.kafka.tls?.ca, certificate)
  assert.equal(config.kafka.group, 'g')
})

it('says that the file is not there and what to do', () => {
  assert.throws(
    () => loadConfig('/nonexistent/posthorn.yaml', {}),
    (error) =>
      error instanceof PosthornError &&
      error.code === 'CONFIG_UNREADABLE' &&
      /nonexistent.*ENOENT/.test(error.message) &&
      /--config/.test(error.action ?? ''),
  )
})
