import type { CheckPorts } from '../check/plan-checks.ts'
import { PosthornError } from '../errors.ts'
import type { CliContext, CliPorts } from './context.ts'
import { connectKafka } from './kafka-clients.ts'

/** A person is waiting: one more try than a network needs that is well. */
const storageAttempts = 2

const missing = (what: string): PosthornError =>
  new PosthornError('INTERNAL', `${what} is not configured`, { stage: 'configure' })

const createCheckPorts = (context: CliContext): CheckPorts => ({
  kafka: { connectAdmin: () => context.kafka().admin() },
  registry: {
    countSubjects: () => context.registry().countSubjects(),
    inspect: (subject, schema) => context.registry().inspect(subject, schema),
    schema: (record) => context.schemas().schema(record),
  },
  storage: {
    probe: async () => {
      const { storage } = context.config()
      if (storage === null) throw missing('storage')
      const { createS3AttachmentStore } = await import('../mail/s3-attachment-store.ts')
      const store = createS3AttachmentStore(storage, { attempts: storageAttempts })
      try {
        await store.check()
      } finally {
        store.close()
      }
    },
  },
  verifySmtp: async ({ name, smtp }, signal) => {
    if (smtp === null) throw missing(`accounts.${name}.smtp`)
    const { verifySmtp } = await import('../mail/smtp/verify.ts')
    return verifySmtp(smtp, { signal })
  },
  connectMailbox: async ({ name, imap }) => {
    if (imap === null) throw missing(`accounts.${name}.imap`)
    const { connectMailbox } = await import('../mail/imap-mailbox.ts')
    return connectMailbox(imap)
  },
  now: context.io.now,
})

/** The mail edges and their libraries are loaded by the commands that use them: the others start much faster. */
export const realPorts: CliPorts = {
  connectKafka,
  createCheckPorts,
  startPosthorn: async (config, options) => (await import('../main.ts')).startPosthorn(config, options),
}
