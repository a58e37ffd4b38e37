import type { SmtpConfig } from '../config/config.ts'
import type { SmtpFacts } from '../mail/smtp/verify.ts'
import type { Check } from './check-result.ts'
import { takeNetworkSteps } from './check-network.ts'

export type VerifiedSmtp = Pick<SmtpFacts, 'mechanism' | 'extensions' | 'maxMessageBytes'>

export interface SmtpCheckPorts {
  /** Connects, encrypts and logs in as a sender does, and leaves. @throws PosthornError */
  verify: (signal: AbortSignal) => Promise<VerifiedSmtp>
  /** Milliseconds since the epoch. */
  now: () => number
}

/** What a session can do better, or only, where the server has them. */
const extensionsThatMatter = ['PIPELINING', 'SIZE', '8BITMIME', 'SMTPUTF8', 'DSN']

const describeExtensions = ({ extensions, maxMessageBytes }: VerifiedSmtp): string => {
  const has = extensionsThatMatter.filter((name) => extensions.includes(name))
  const lacks = extensionsThatMatter.filter((name) => !extensions.includes(name))
  const limit = maxMessageBytes === null ? '' : `; it takes mails up to ${Math.floor(maxMessageBytes / 1_048_576)} MB`
  return `the server has ${has.join(', ') || 'none of the extensions'}${lacks.length === 0 ? '' : `, not ${lacks.join(', ')}`}${limit}`
}

export const checkSmtp = (account: string, smtp: SmtpConfig, { verify, now }: SmtpCheckPorts): Check => ({
  component: 'smtp',
  account,
  run: async (takeStep) => {
    await takeNetworkSteps(smtp, 'smtp', takeStep, now)
    await takeStep('login', verify, (facts) => {
      const { mechanism } = facts
      const who =
        smtp.auth === null || mechanism === null ? 'without a login' : `logged in as ${smtp.auth.user} by ${mechanism}`
      return `${who}; ${describeExtensions(facts)}`
    })
  },
})
