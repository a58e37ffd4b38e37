import type { TestServers } from '../test/support/servers.ts'

export const startSharedServers: () => Promise<{
  env: Record<string, string>
  servers: TestServers
  stop: () => Promise<void>
}>
