/** The project's own corpus, `test/fixtures/eml`: each `NNN-name.eml` with what Posthorn reads in it, `NNN-name.json`. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'

import { defaultParseLimits } from '../../src/mail/parse/limits.ts'
import { parseMessage } from '../../src/mail/parse/parse-message.ts'

const folder = new URL('../fixtures/eml/', import.meta.url)

export interface CorpusMessage {
  name: string
  raw: Buffer
  /** Where its golden file is. */
  golden: URL
}

export const readCorpus = (): CorpusMessage[] =>
  readdirSync(folder)
    .filter((file) => file.endsWith('.eml'))
    .sort()
    .map((file) => ({
      name: file.slice(0, -4),
      raw: readFileSync(new URL(file, folder)),
      golden: new URL(`${file.slice(0, -4)}.json`, folder),
    }))

/** Of the contents of attachments only size and digest. */
export const goldenOf = (raw: Buffer): unknown => {
  const { message, attachments } = parseMessage(raw, defaultParseLimits)
  const { largeBodies: _, ...fields } = message
  return {
    ...fields,
    attachments: attachments.map(({ content, ...head }) => ({
      ...head,
      size: content.length,
      sha256: createHash('sha256').update(content).digest('hex'),
    })),
  }
}
