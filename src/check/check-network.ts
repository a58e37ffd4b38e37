/** The way to a server, up to the login: name, connection, encryption. */
import type { ServerConfig, TlsConfig } from '../config/config.ts'
import { isPosthornError, PosthornError, type ErrorCode } from '../errors.ts'
import { networkFailureOf, sayNetworkFailure } from '../network-failure.ts'
import type { TlsFacts } from '../tls-facts.ts'
import type { Component, Finding, TakeStep } from './check-result.ts'
import { openConnection, probeTls, resolveHost, type ProbedServer, type StartTlsProtocol } from './probe-server.ts'

type Networked = Exclude<Component, 'config'>

const unreachable: Readonly<Record<Networked, ErrorCode>> = {
  kafka: 'KAFKA_UNREACHABLE',
  registry: 'REGISTRY_UNREACHABLE',
  storage: 'STORAGE_UNREACHABLE',
  smtp: 'SMTP_UNREACHABLE',
  imap: 'IMAP_UNREACHABLE',
}

const dayMs = 86_400_000
/** Who renews certificates by hand needs some time. */
const soonDays = 14

const describeTls = ({ protocol, cipher, issuer, validUntil }: TlsFacts, after: string, now: number): Finding => {
  const days = Math.floor((validUntil - now) / dayMs)
  const until = new Date(validUntil).toISOString().slice(0, 10)
  return {
    message: `${protocol ?? 'TLS'}${after}, ${cipher}, signed by ${issuer ?? 'nobody named'}, valid until ${until} (${days} days)`,
    action: days < soonDays ? `The certificate expires in ${days} days: have it renewed.` : null,
  }
}

const explain = (error: unknown, { host, port }: Pick<ServerConfig, 'host' | 'port'>, component: Networked) => {
  if (isPosthornError(error)) return error
  const network = networkFailureOf(error)
  const place = `${host}:${port}`
  const text = error instanceof Error ? error.message : String(error)
  const message = network === null ? `${place}: ${text}` : sayNetworkFailure(network, place)
  return new PosthornError(network?.tls ?? unreachable[component], message, {
    stage: 'connect',
    retryable: true,
    action: network?.action ?? 'Check host, port and security.',
    cause: error,
  })
}

const explained =
  <T>(server: Pick<ServerConfig, 'host' | 'port'>, component: Networked, work: (signal: AbortSignal) => Promise<T>) =>
  async (signal: AbortSignal): Promise<T> => {
    try {
      return await work(signal)
    } catch (error) {
      throw explain(error, server, component)
    }
  }

/**
 * Step `tls` of a server that speaks it from the first byte.
 *
 * @param servers several: the first that shakes hands stands for all
 * @param now milliseconds since the epoch
 */
export const takeTlsStep = async (
  component: Networked,
  servers: readonly Pick<ServerConfig, 'host' | 'port'>[],
  tls: TlsConfig,
  takeStep: TakeStep,
  now: () => number,
): Promise<void> => {
  const [first = { host: '', port: 0 }] = servers
  const probe = (signal: AbortSignal) =>
    Promise.any(servers.map((server) => probeTls({ ...server, security: 'tls', tls }, null, signal)))
  await takeStep('tls', explained(first, component, probe), (facts) => describeTls(facts, '', now()))
}

/** Step `tls` where the URL has one; null: it has none. */
export const takeUrlTlsStep = async (
  component: Networked,
  url: string | null,
  tls: TlsConfig,
  takeStep: TakeStep,
  now: () => number,
): Promise<void> => {
  if (url === null || !url.startsWith('https:')) return
  const { hostname, port } = new URL(url)
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  await takeTlsStep(component, [{ host, port: port === '' ? 443 : Number(port) }], tls, takeStep, now)
}

/** Steps `dns`, `tcp` and, unless it is not used, `tls`. @param now milliseconds since the epoch */
export const takeNetworkSteps = async (
  server: ProbedServer,
  protocol: StartTlsProtocol,
  takeStep: TakeStep,
  now: () => number,
): Promise<void> => {
  const { host, port, security } = server
  await takeStep(
    'dns',
    explained(server, protocol, () => resolveHost(host)),
    (addresses) => `${host} is ${addresses.join(', ')}`,
  )
  await takeStep(
    'tcp',
    explained(server, protocol, async (signal) => (await openConnection(server, signal)).destroy()),
    () => `${host}:${port} accepts connections`,
  )
  if (security === 'none') return
  await takeStep(
    'tls',
    explained(server, protocol, (signal) => probeTls(server, protocol, signal)),
    (facts) => describeTls(facts, security === 'starttls' ? ' after STARTTLS' : '', now()),
  )
}
