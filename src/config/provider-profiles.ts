/** What providers allow, as defaults that the account's own keys override. Pure. */

import type { RateConfig } from './config.ts'

export interface ProviderProfile {
  readonly smtpConnections: number
  readonly messagesPerConnection: number | null
  readonly rate: RateConfig | null
  readonly imapConnections: number
}

export const noProfile: ProviderProfile = {
  smtpConnections: 4,
  messagesPerConnection: null,
  rate: null,
  imapConnections: 5,
}

export const providerProfiles: Readonly<Record<'gmail' | 'microsoft365' | 'ses', ProviderProfile>> = {
  // 2,000 messages a day for a Workspace user, 100 a connection; 15 IMAP connections for all of the account's clients.
  gmail: {
    smtpConnections: 3,
    messagesPerConnection: 100,
    rate: { count: 2000, perMs: 86_400_000 },
    imapConnections: 10,
  },
  // SMTP AUTH client submission: 3 connections and 30 messages a minute for each mailbox, else 432 4.3.2.
  microsoft365: {
    smtpConnections: 3,
    messagesPerConnection: null,
    rate: { count: 30, perMs: 60_000 },
    imapConnections: 8,
  },
  // 14 a second is what an account out of the sandbox begins with; raise `rate` with the quota.
  ses: { smtpConnections: 8, messagesPerConnection: null, rate: { count: 14, perMs: 1000 }, imapConnections: 5 },
}
