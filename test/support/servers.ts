/**
 * Real servers for the suites under test/integration/: those that `npm test` has started, or, when one file is run by
 * itself, servers of its own that end with it.
 */
import { randomUUID } from 'node:crypto'
import { after } from 'node:test'

export interface TestServers {
  brokers: string[]
  /** GreenMail: any user with any password. */
  mail: { host: string; smtpPort: number; imapPort: number }
  s3: { endpoint: string; bucket: string; accessKeyId: string; secretAccessKey: string }
}

const startOwn = async (): Promise<TestServers> => {
  const { startSharedServers } = await import('../../scripts/shared-servers.mjs')
  const { servers, stop } = await startSharedServers()
  after(stop)
  return servers
}

let servers: Promise<TestServers> | null = null

export const testServers = (): Promise<TestServers> => {
  const shared = process.env['POSTHORN_TEST_SERVERS']
  servers ??= shared === undefined ? startOwn() : Promise.resolve(JSON.parse(shared) as TestServers)
  return servers
}

/** A name that no other test uses. */
export const uniqueName = (prefix: string): string => `${prefix}-${randomUUID().slice(0, 8)}`
