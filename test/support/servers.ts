/** The real servers that `npm test` has started for the suites under test/integration/. */
import { randomUUID } from 'node:crypto'

export interface TestServers {
  brokers: string[]
  /** GreenMail: any user with any password. */
  mail: { host: string; smtpPort: number; imapPort: number }
  s3: { endpoint: string; bucket: string; accessKeyId: string; secretAccessKey: string }
  /** URL of the Confluent-compatible API of an Apicurio registry whose global rule is FULL compatibility. */
  registry: string
}

/** @throws when the suite was not started by `npm test`: without its servers it has failed, not been skipped */
export const testServers = async (): Promise<TestServers> => {
  const shared = process.env['POSTHORN_TEST_SERVERS']
  if (shared === undefined) throw new Error('run it by: npm test -- test/integration/<file>')
  return JSON.parse(shared) as TestServers
}

/** A name that no other test uses. */
export const uniqueName = (prefix: string): string => `${prefix}-${randomUUID().slice(0, 8)}`
