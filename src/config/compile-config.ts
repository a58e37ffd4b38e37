/** Text of a configuration file → `Config`, or one error that names everything that is wrong. */

import type { z } from 'zod'

import { checkShape, unknownKeyRule, type Report } from './check-shape.ts'
import { compileAccount } from './compile-account.ts'
import {
  compileAvro,
  compileHttp,
  compileKafka,
  compileOAuthStore,
  compileSend,
  compileStorage,
  reportTopicClashes,
} from './compile-sections.ts'
import type { Compilation } from './compile-tls.ts'
import type { AccountConfig, Config } from './config.ts'
import { configInvalid, showValue, type Problem } from './problems.ts'
import { readYaml, type ConfigSource, type SourceContext } from './read-yaml.ts'
import { account, accountName, sections } from './schema.ts'
import { Secret } from './secret.ts'

export interface CompileContext extends SourceContext {
  /** For messages. */
  readonly fileName: string
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const deepFreeze = <T>(value: T): T => {
  if (typeof value !== 'object' || value === null || value instanceof Secret) return value
  for (const item of Object.values(value)) deepFreeze(item)
  return Object.freeze(value)
}

const compileAccounts = (
  source: ConfigSource,
  value: unknown,
  compilation: Compilation,
): Record<string, AccountConfig> => {
  // Without a prototype, so that an account may be called `constructor` and a look-up never finds what is no account.
  const accounts: Record<string, AccountConfig> = Object.create(null)
  if (value === undefined) return accounts
  if (!isObject(value)) {
    compilation.report(['accounts'], 'must be an object of accounts by name')
    return accounts
  }
  for (const [name, written] of Object.entries(value)) {
    const at = ['accounts', name]
    const wrongName = accountName.safeParse(name).error?.issues[0]?.message
    if (wrongName !== undefined) compilation.report(at, `the name ${wrongName}`)
    const shaped = checkShape(account, written, at, source, compilation.report)
    if (shaped !== undefined) accounts[name] = compileAccount(name, shaped, at, compilation)
  }
  return accounts
}

/**
 * @param context Environment and files that references and file-valued options may name; nothing else is read.
 * @returns The configuration, frozen to the bottom.
 * @throws PosthornError `CONFIG_INVALID` that lists every problem with its path, value and rule.
 */
export const compileConfig = (text: string, context: CompileContext): Config => {
  const source = readYaml(text, context)
  if (!isObject(source.value)) throw configInvalid(context.fileName, source.problems)
  const problems: Problem[] = [...source.problems]
  const failedReferences = new Set(source.problems.map(({ path }) => JSON.stringify(path)))
  const report: Report = (path, rule) => {
    if (failedReferences.has(JSON.stringify(path))) return
    // Under an unknown name, and where whole sections belong, anything may stand: also a secret.
    const isUnclear = rule.startsWith('unknown key') || rule === 'must be an object'
    const value = isUnclear ? null : showValue(path, source.written(path))
    problems.push({ path, value, rule, line: source.lineOf(path) })
  }
  const compilation: Compilation = { report, readFile: context.readFile }

  const root = source.value
  const known = [...Object.keys(sections), 'accounts']
  for (const key of Object.keys(root)) if (!known.includes(key)) report([key], unknownKeyRule(key, known))
  const shape = <T extends z.ZodType>(schema: T, key: string): z.output<T> | undefined =>
    checkShape(schema, root[key], [key], source, report)

  const kafka = shape(sections.kafka, 'kafka')
  const avro = shape(sections.avro, 'avro')
  const storage = shape(sections.storage, 'storage')
  const send = shape(sections.send, 'send')
  const limits = shape(sections.limits, 'limits')
  const http = shape(sections.http, 'http')
  const oauth = shape(sections.oauth, 'oauth')
  const accounts = compileAccounts(source, root['accounts'], compilation)
  const receiver = Object.values(accounts).find(({ receive }) => receive.length > 0)
  if (root['storage'] === undefined && receiver !== undefined) {
    report(['storage'], `is required because account ${JSON.stringify(receiver.name)} receives: attachments go there`)
  }

  const compiled = {
    fileName: context.fileName,
    kafka: kafka && compileKafka(kafka, compilation),
    avro: avro && compileAvro(avro, compilation),
    storage: storage ? compileStorage(storage, compilation) : null,
    send: send && kafka && compileSend(send, kafka.topics.sendRetries, report),
    limits,
    http: http ? compileHttp(http, report) : null,
    oauth: oauth && compileOAuthStore(oauth, report),
    accounts,
  }
  if (compiled.kafka && compiled.send) reportTopicClashes(compiled.kafka.topics, compiled.send.retry.tiers, report)
  if (problems.length > 0) throw configInvalid(context.fileName, problems)
  // A part is undefined only where its shape was reported.
  return deepFreeze(compiled as Config)
}
