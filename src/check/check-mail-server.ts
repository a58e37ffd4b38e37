/** What SMTP and IMAP have in common: the way to the server, up to the login. */
import type { ServerConfig } from '../config/config.ts'
import { PosthornError, isPosthornError, type ErrorCode } from '../errors.ts'
import { networkFailureOf, sayNetworkFailure } from '../network-failure.ts'
import type { TakeStep } from './check-result.ts'
import { openConnection, probeTls, resolveHost, type StartTlsProtocol } from './probe-server.ts'

const unreachable: Readonly<Record<StartTlsProtocol, ErrorCode>> = {
  smtp: 'SMTP_UNREACHABLE',
  imap: 'IMAP_UNREACHABLE',
}
const tlsFailed: Readonly<Record<StartTlsProtocol, ErrorCode>> = { smtp: 'SMTP_TLS_FAILED', imap: 'IMAP_TLS_FAILED' }

const dayMs = 86_400_000

const describeExpiry = (validUntil: number, now: number): string => {
  const days = Math.floor((validUntil - now) / dayMs)
  return `until ${new Date(validUntil).toISOString().slice(0, 10)} (${days} days)`
}

/** Steps `dns`, `tcp` and, unless it is not used, `tls`. */
export const takeNetworkSteps = async (
  server: Pick<ServerConfig, 'host' | 'port' | 'security' | 'tls'>,
  protocol: StartTlsProtocol,
  takeStep: TakeStep,
  /** Milliseconds since the epoch. */
  now: () => number,
): Promise<void> => {
  const { host, port, security } = server
  const explained =
    <T>(code: ErrorCode, work: (signal: AbortSignal) => Promise<T>) =>
    async (signal: AbortSignal): Promise<T> => {
      try {
        return await work(signal)
      } catch (error) {
        throw explainNetworkError(error, server, code)
      }
    }
  await takeStep(
    'dns',
    explained(unreachable[protocol], () => resolveHost(host)),
    (addresses) => `${host} is ${addresses.join(', ')}`,
  )
  await takeStep(
    'tcp',
    explained(unreachable[protocol], async (signal) => (await openConnection(server, signal)).destroy()),
    () => `${host}:${port} accepts connections`,
  )
  if (security === 'none') return
  await takeStep(
    'tls',
    explained(tlsFailed[protocol], (signal) => probeTls(server, protocol, signal)),
    ({ protocol: version, issuer, validUntil }) =>
      `${version}${security === 'starttls' ? ' after STARTTLS' : ''}, signed by ${issuer}, valid ${describeExpiry(validUntil, now())}`,
  )
}
