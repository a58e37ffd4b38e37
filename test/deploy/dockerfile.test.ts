import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import process from 'node:process'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { defaultConfigFile } from '../../src/config/load-config.ts'
import { repositoryFile, valuesOf, wordsOf } from './dockerfile.ts'

interface Manifest {
  bin: { posthorn: string }
  engines: { node: string }
  files: string[]
}

const manifest = JSON.parse(repositoryFile('package.json')) as Manifest

/** A port of loopback on which nobody listens. */
const closedPort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

describe('Dockerfile', () => {
  it('builds and runs on one pinned Node that the package accepts', () => {
    const images = valuesOf('FROM').map((value) => value.split(' ')[0] ?? '')
    assert.equal(images.length, 2)
    assert.equal(new Set(images).size, 1, 'both stages have the same C library and Node')
    const [, major] = /^node:(\d+)\.\d+\.\d+-bookworm-slim$/.exec(images[0] ?? '') ?? []
    const [, least] = /^>=(\d+)\./.exec(manifest.engines.node) ?? []
    assert.ok(Number(major) >= Number(least), `${images[0]} runs ${manifest.engines.node}`)
  })

  it('runs the command of the package, not as root', () => {
    assert.deepEqual(wordsOf('ENTRYPOINT'), ['node', join('/app', manifest.bin.posthorn)])
    assert.match(valuesOf('USER').at(-1) ?? 'root', /^[1-9]\d*:[1-9]\d*$/)
  })

  it('ships each part of the package that runs, and only what the build context lets in', () => {
    const copied = valuesOf('COPY').map((value) => value.split(/\s+/))
    const fromBuild = copied.filter(([first]) => first?.startsWith('--from=')).map(([, source]) => source)
    const fromContext = copied.filter(([first]) => !first?.startsWith('--from=')).flatMap((words) => words.slice(0, -1))
    for (const part of ['bin', 'dist', 'schemas']) {
      assert.ok(manifest.files.includes(part), `package.json ships ${part}`)
      assert.ok(fromContext.includes(part) || fromBuild.includes(`/app/${part}`), `the image has ${part}`)
    }
    const [everything, ...exceptions] = repositoryFile('.dockerignore')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
    assert.equal(everything, '*')
    assert.deepEqual(new Set(exceptions), new Set(fromContext.map((path) => `!${path}`)))
  })

  it('checks its health with the configuration that it runs with', () => {
    assert.equal(valuesOf('WORKDIR').at(-1), dirname(wordsOf('CMD').at(-1) ?? ''))
    assert.equal(basename(wordsOf('CMD').at(-1) ?? ''), defaultConfigFile)
    const link = valuesOf('RUN').find((value) => value.startsWith('ln '))
    assert.equal(link, `ln -s ${wordsOf('ENTRYPOINT').at(-1)} /usr/local/bin/${wordsOf('HEALTHCHECK')[0]}`)
  })

  it('is unhealthy, in the way that Docker asks for, when Kafka does not answer', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'posthorn-health-'))
    t.after(() => rmSync(folder, { recursive: true }))
    writeFileSync(join(folder, defaultConfigFile), `kafka: { brokers: [127.0.0.1:${await closedPort()}] }\n`)
    const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
    const command = ['--import', import.meta.resolve('tsx'), main, ...wordsOf('HEALTHCHECK').slice(1)]
    const { status, stderr } = spawnSync(process.execPath, command, { cwd: folder, encoding: 'utf8' })
    assert.match(stderr, /KAFKA_UNREACHABLE/)
    assert.equal(status, 1)
  })
})
