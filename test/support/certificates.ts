/** Certificates for tests, made by openssl: an authority, servers for `localhost` and 127.0.0.1, a client. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface KeyPair {
  key: string
  cert: string
}

export interface TestCertificates {
  ca: string
  server: KeyPair
  client: KeyPair
  /** An authority that has signed none of them. */
  otherCa: string
  expired: KeyPair
  /** For `other.example.com`. */
  misnamed: KeyPair
}

const localNames = 'subjectAltName=DNS:localhost,IP:127.0.0.1\n'
const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

const inFolder = <T>(make: (folder: string, openssl: (...argv: string[]) => void) => T): T => {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-tls-'))
  try {
    return make(folder, (...argv) => void execFileSync('openssl', argv, { cwd: folder, stdio: 'pipe' }))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const authority = (openssl: (...argv: string[]) => void, name: string): void =>
  openssl(
    'req',
    '-x509',
    ...curve,
    '-days',
    '2',
    '-subj',
    `/CN=Test ${name}`,
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.pem`,
  )

export const createCertificates = (): TestCertificates =>
  inFolder((folder, openssl) => {
    const read = (name: string): string => readFileSync(join(folder, name), 'utf8')
    const sign = (name: string, extensions: string, days = 2): KeyPair => {
      writeFileSync(join(folder, `${name}.ext`), extensions)
      openssl('req', ...curve, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`)
      const by = ['-CA', 'authority.pem', '-CAkey', 'authority.key', '-CAcreateserial', '-days', String(days)]
      openssl('x509', '-req', '-in', `${name}.csr`, ...by, '-extfile', `${name}.ext`, '-out', `${name}.pem`)
      return { key: read(`${name}.key`), cert: read(`${name}.pem`) }
    }
    authority(openssl, 'authority')
    authority(openssl, 'stranger')
    return {
      ca: read('authority.pem'),
      otherCa: read('stranger.pem'),
      server: sign('server', localNames),
      client: sign('client', 'extendedKeyUsage=clientAuth\n'),
      expired: sign('expired', localNames, -1),
      misnamed: sign('misnamed', 'subjectAltName=DNS:other.example.com\n'),
    }
  })
