import { recordNames } from '../avro/records.ts'
import type { SubjectState } from '../avro/schema-registry.ts'
import { subjectOf, topicRecords } from '../avro/topic-records.ts'
import { PosthornError } from '../errors.ts'
import { toTable } from './printable.ts'
import { jsonOption } from './shared-options.ts'
import type { Register } from './context.ts'

const said: Readonly<Record<SubjectState['state'], string>> = {
  registered: 'was there',
  compatible: 'registered as a new version',
  missing: 'registered',
}

/** Bytes of a single-object header before the fingerprint. */
const markerLength = 2

export const registerSchemas: Register = (program, context) => {
  const schemas = program.command('schemas').description('the Avro schemas of the records')

  schemas
    .command('list')
    .description('names and fingerprints (CRC-64-AVRO, as it stands in the single-object header)')
    .addOption(jsonOption())
    .action(async ({ json }: { json?: boolean }) => {
      const store = context.schemas()
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
    .addOption(jsonOption())
    .action(async (wanted: string) => {
      const name = recordNames.find((one) => one.toLowerCase() === wanted.toLowerCase())
      if (name === undefined) {
        throw new PosthornError('USAGE_INVALID', `there is no schema of ${wanted}`, {
          stage: 'configure',
          action: `Name one of ${recordNames.join(', ')}.`,
        })
      }
      await context.print(`${JSON.stringify(JSON.parse(context.schemas().schema(name).json), null, 2)}\n`)
    })

  schemas
    .command('register')
    .description('put the schemas into the registry, for logins of workers that may only read there')
    .addOption(jsonOption())
    .action(async ({ json }: { json?: boolean }) => {
      const registry = context.registry()
      const subjects: { subject: string; record: string; id: number; was: SubjectState['state'] }[] = []
      for (const { record, topic } of topicRecords(context.config().kafka.topics)) {
        const subject = subjectOf(topic)
        const { json: schema } = context.schemas().schema(record)
        const { state } = await registry.inspect(subject, schema)
        subjects.push({ subject, record, id: await registry.register(subject, schema), was: state })
      }
      if (json === true) return context.printJson({ subjects })
      const rows = subjects.map(({ subject, record, id, was }) => [subject, record, String(id), said[was]])
      return context.print(toTable([['SUBJECT', 'RECORD', 'ID', ''], ...rows]))
    })
}
