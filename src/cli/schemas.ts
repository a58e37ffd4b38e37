import { loadSchemas } from '../avro/schema-store.ts'
import { recordNames } from '../avro/records.ts'
import { PosthornError } from '../errors.ts'
import { toTable } from './printable.ts'
import { jsonOption } from './shared-options.ts'
import type { Register } from './context.ts'

/** Bytes of a single-object header before the fingerprint. */
const markerLength = 2

export const registerSchemas: Register = (program, context) => {
  const schemas = program.command('schemas').description('the Avro schemas of the records')

  schemas
    .command('list')
    .description('names and fingerprints (CRC-64-AVRO, as it stands in the single-object header)')
    .addOption(jsonOption())
    .action(async ({ json }: { json?: boolean }) => {
      const store = loadSchemas()
      const rows = recordNames.map((name) => ({
        name,
        fingerprint: store.schema(name).singleObjectHeader.subarray(markerLength).toString('hex'),
      }))
      if (json === true) return context.printJson({ schemas: rows })
      return context.print(
        toTable([['RECORD', 'FINGERPRINT'], ...rows.map(({ name, fingerprint }) => [name, fingerprint])]),
      )
    })

  schemas
    .command('show')
    .description('print one schema')
    .argument('<record>', recordNames.join(', '))
    .action(async (wanted: string) => {
      const name = recordNames.find((one) => one.toLowerCase() === wanted.toLowerCase())
      if (name === undefined) {
        throw new PosthornError('USAGE_INVALID', `there is no schema of ${wanted}`, {
          stage: 'configure',
          action: `Name one of ${recordNames.join(', ')}.`,
        })
      }
      await context.print(`${JSON.stringify(JSON.parse(loadSchemas().schema(name).json), null, 2)}\n`)
    })
}
