/** TLS options: files read and checked. Pure but for the injected reader of files. */

import { createPrivateKey } from 'node:crypto'

import type { Report } from './check-shape.ts'
import type { TlsConfig } from './config.ts'
import type { TlsSource } from './connection-schema.ts'
import type { KeyPath } from './problems.ts'
import { readFailure, type SourceContext } from './read-yaml.ts'
import { Secret } from './secret.ts'

/** What every part of the compilation needs. */
export interface Compilation {
  readonly report: Report
  readonly readFile: SourceContext['readFile']
}

const readText = (path: string, at: KeyPath, { report, readFile }: Compilation): string | null => {
  try {
    return readFile(path)
  } catch (error) {
    report(at, `file can't be read (${readFailure(error)})`)
    return null
  }
}

/** Text of a PEM file of certificates. */
const readCertificates = (path: string, at: KeyPath, compilation: Compilation): string | null => {
  const text = readText(path, at, compilation)
  if (text === null || /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/.test(text)) return text
  compilation.report(at, 'must be a PEM file with at least one certificate')
  return null
}

/** A private key from a PEM file. */
export const readPrivateKey = (path: string, at: KeyPath, compilation: Compilation): Secret | null => {
  const text = readText(path, at, compilation)
  if (text === null) return null
  try {
    createPrivateKey(text)
    return new Secret(text)
  } catch {
    compilation.report(at, 'must be a PEM file with a private key that is not encrypted')
    return null
  }
}

export const compileTls = (source: TlsSource, at: KeyPath, compilation: Compilation): TlsConfig => {
  if (source.certFile !== undefined && source.keyFile === undefined) {
    compilation.report([...at, 'certFile'], 'needs keyFile')
  }
  if (source.keyFile !== undefined && source.certFile === undefined) {
    compilation.report([...at, 'keyFile'], 'needs certFile')
  }
  return {
    ca: source.caFile === undefined ? null : readCertificates(source.caFile, [...at, 'caFile'], compilation),
    certificate:
      source.certFile === undefined ? null : readCertificates(source.certFile, [...at, 'certFile'], compilation),
    key: source.keyFile === undefined ? null : readPrivateKey(source.keyFile, [...at, 'keyFile'], compilation),
    serverName: source.serverName ?? null,
    minVersion: source.minVersion ?? 'TLSv1.2',
  }
}
