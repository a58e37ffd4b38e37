import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'

import { compileConfig } from '../../src/config/compile-config.ts'
import type { Config } from '../../src/config/config.ts'
import { isPosthornError } from '../../src/errors.ts'

export const contractExample = readFileSync(new URL('../fixtures/config/contract.yaml', import.meta.url), 'utf8')

export const certificate = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'
export const privateKey = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString()

const files: Readonly<Record<string, string>> = {
  'ca.pem': certificate,
  'key.pem': privateKey,
  'password.txt': 'from: a file, "quoted" {and} more\n',
  'port.txt': '2525\n',
}

const env = {
  KAFKA_PASSWORD: 'kafka-secret',
  S3_SECRET: 's3-secret',
  ADMIN_TOKEN: 'admin-secret',
  PORT: '2526',
  ON: 'true',
}

export const compile = (text: string): Config =>
  compileConfig(text, {
    fileName: 'posthorn.yaml',
    env,
    readFile: (path) => {
      const text = files[path]
      if (text === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
      return text
    },
  })

/** A configuration that is right, with sections added or replaced. */
export const withSections = (sections: string): string =>
  sections.startsWith('kafka:') || sections.includes('\nkafka:')
    ? sections
    : `kafka: { brokers: [k:9092] }\n${sections}`

/** An account that sends, with keys of `smtp` added. */
export const withSmtp = (keys: string): string =>
  withSections(`accounts: { a: { smtp: { host: h, security: tls, from: a@example.com, ${keys} } } }`)

/** An account that receives, with keys of `imap` and whole rules. */
export const withReceive = (rules: string, keys = ''): string =>
  withSections(`storage: { bucket: mail }
accounts: { a: { imap: { host: h, security: tls, ${keys} }, receive: [${rules}] } }`)

/** The lines of the message with which a configuration is refused, without the file's name; empty when it is taken. */
export const refusals = (text: string): string[] => {
  try {
    compile(text)
    return []
  } catch (error) {
    if (!isPosthornError(error) || error.code !== 'CONFIG_INVALID') throw error
    const [head = '', ...rest] = error.message.split('\n  ')
    return rest.length === 0 ? [head.replace(/^posthorn\.yaml: /, '')] : rest
  }
}
