import type { ConnectionOptions } from 'node:tls'

import type { TlsConfig } from './config/config.ts'

/**
 * What Node's TLS client is given, whatever the server is. The certificate is always verified, against the public roots or
 * `ca` alone; there is no switch for it.
 */
export const tlsOptions = ({ ca, certificate, key, serverName, minVersion }: TlsConfig): ConnectionOptions => ({
  rejectUnauthorized: true,
  minVersion,
  ...(ca === null ? {} : { ca }),
  ...(certificate === null || key === null ? {} : { cert: certificate, key: key.reveal() }),
  ...(serverName === null ? {} : { servername: serverName }),
})
