/** Certificates for tests, made by openssl: an authority, a server for `localhost` and 127.0.0.1, a client. */
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
}

export const createCertificates = (): TestCertificates => {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-tls-'))
  const run = (...argv: string[]): Buffer => execFileSync('openssl', argv, { cwd: folder, stdio: 'pipe' })
  const read = (name: string): string => readFileSync(join(folder, name), 'utf8')
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  try {
    run('req', '-x509', ...curve, '-days', '2', '-subj', '/CN=Test authority', '-keyout', 'ca.key', '-out', 'ca.pem')
    writeFileSync(join(folder, 'server.ext'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n')
    writeFileSync(join(folder, 'client.ext'), 'extendedKeyUsage=clientAuth\n')
    for (const name of ['server', 'client']) {
      run('req', ...curve, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`)
      const authority = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial']
      run(
        'x509',
        '-req',
        '-in',
        `${name}.csr`,
        ...authority,
        '-days',
        '2',
        '-extfile',
        `${name}.ext`,
        '-out',
        `${name}.pem`,
      )
    }
    const pair = (name: string): KeyPair => ({ key: read(`${name}.key`), cert: read(`${name}.pem`) })
    return { ca: read('ca.pem'), server: pair('server'), client: pair('client') }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
