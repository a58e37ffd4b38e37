/** The documents say what is true: their links lead somewhere, their configurations compile, their commands exist. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, it } from 'node:test'
import { rootCertificates } from 'node:tls'
import { compileConfig } from '../../src/config/compile-config.ts'
import { runOn } from '../cli/fake-cluster.ts'
import { anchors, codeBlocks, commandLines, documents, links, readDocument, root } from '../support/markdown.ts'

const manifest = JSON.parse(readDocument('package.json').text) as { scripts: Record<string, string> }

/** Whatever file or variable an example refers to. */
const readFile = (path: string): string => (path.endsWith('.pem') ? (rootCertificates[0] ?? '') : 'any')
const env = new Proxy({}, { get: (_, name) => (String(name).endsWith('OAUTH_KEY') ? '0'.repeat(64) : 'any') })

const sectionNames = ['kafka', 'avro', 'storage', 'send', 'limits', 'http', 'oauth', 'accounts']

/** An example of some sections, completed to a configuration; null: it is YAML of another kind. */
const toConfiguration = (code: string): string | null => {
  const keys = [...code.matchAll(/^(\w+):/gm)].map(([, key = '']) => key)
  if (keys.length === 0 || !keys.every((key) => sectionNames.includes(key))) return null
  return keys.includes('kafka') ? code : `${code}\nkafka: { brokers: [127.0.0.1:9092] }\n`
}

describe('the documents', () => {
  for (const document of documents()) {
    const { path } = document

    it(`${path}: every link leads somewhere`, () => {
      for (const link of links(document)) {
        if (/^https?:/.test(link)) continue
        const [file = '', anchor] = link.split('#')
        const target = file === '' ? path : normalize(join(dirname(path), file))
        assert.ok(existsSync(join(root, target)), link)
        if (anchor !== undefined) assert.ok(anchors(readDocument(target)).has(anchor), link)
      }
    })

    it(`${path}: every configuration compiles`, () => {
      for (const { language, code } of codeBlocks(document)) {
        const text = language === 'yaml' ? toConfiguration(code) : null
        if (text === null) continue
        assert.doesNotThrow(() => compileConfig(text, { fileName: path, env, readFile }), text)
      }
    })

    it(`${path}: every command and flag exists`, async () => {
      for (const line of commandLines(document)) {
        const words = line.split(' ').slice(1)
        const firstFlag = words.findIndex((word) => !/^[a-z][a-z-]*$/.test(word))
        const names = firstFlag === -1 ? words : words.slice(0, firstFlag)
        const { code, stdout } = await runOn([...names, '--help'])
        assert.equal(code, 0, line)
        // `topics nonsense --help` shows the help of `topics`.
        const [usage = ''] = /^Usage: .*$/m.exec(stdout) ?? []
        if (!usage.includes('<')) for (const name of names) assert.ok(usage.includes(` ${name}`), line)
        for (const flag of words.filter((word) => word.startsWith('--')))
          assert.ok(stdout.includes(flag), `${line}: ${flag}`)
      }
    })

    it(`${path}: every file that it names is there`, () => {
      const named = document.text.matchAll(/`((?:src|test|scripts|schemas|docs|deploy|bench|bin)\/[\w./-]+)`/g)
      for (const [, file = ''] of named) if (!file.includes('/foo/')) assert.ok(existsSync(join(root, file)), file)
    })

    it(`${path}: every npm script exists`, () => {
      for (const [, name = ''] of document.text.matchAll(/npm run ([\w:-]+)/g))
        assert.ok(name in manifest.scripts, name)
    })
  }
})
