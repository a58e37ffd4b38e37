/**
 * Writes what Posthorn reads in the corpus beside its messages: `npx tsx scripts/write-goldens.ts`. Look at the diff: a
 * golden file is right because a person found it right, and `test/integration/parser-agreement.test.ts` says where other
 * parsers see it differently.
 */
import { writeFileSync } from 'node:fs'

import { goldenOf, readCorpus } from '../test/support/golden.ts'

for (const { raw, golden } of readCorpus()) writeFileSync(golden, `${JSON.stringify(goldenOf(raw), null, 2)}\n`)
