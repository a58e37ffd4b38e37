import type { SmtpConfig } from '../config/config.ts'
import type { Check } from './check-result.ts'
import { takeNetworkSteps } from './check-mail-server.ts'

export interface SmtpCheckPorts {
  /** Connects, encrypts and logs in as a sender does, and leaves. @throws PosthornError */
  verify: (signal: AbortSignal) => Promise<void>
  /** Milliseconds since the epoch. */
  now: () => number
}

export const checkSmtp = (account: string, smtp: SmtpConfig, { verify, now }: SmtpCheckPorts): Check => ({
  component: 'smtp',
  account,
  run: async (takeStep) => {
    await takeNetworkSteps(smtp, 'smtp', takeStep, now)
    await takeStep('login', verify, () =>
      smtp.auth === null ? 'the server lets us in without a login' : `logged in as ${smtp.auth.user}`,
    )
  },
})
