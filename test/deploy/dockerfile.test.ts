import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { repositoryFile, valuesOf, wordsOf } from './dockerfile.ts'

interface Manifest {
  bin: { posthorn: string }
  engines: { node: string }
  files: string[]
}

const manifest = JSON.parse(repositoryFile('package.json')) as Manifest

/** The health check's exit code, the kernel's tables of sockets replaced by these; null: that table is missing. */
const healthExitCode = (t: TestContext, tables: { tcp: string; tcp6: string | null }): number | null => {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-health-'))
  t.after(() => rmSync(folder, { recursive: true }))
  for (const [name, text] of Object.entries(tables)) if (text !== null) writeFileSync(join(folder, name), text)
  const [shell = '', option = '', command = ''] = wordsOf('HEALTHCHECK')
  assert.match(command, / \/proc\/net\/tcp \/proc\/net\/tcp6 /)
  return spawnSync(shell, [option, command.replaceAll('/proc/net', folder)]).status
}

const heading = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n'
const socket = (state: string): string =>
  `   1: 0100007F:0101 0100007F:01BB ${state} 00000001:00000001 01:00000001 00000001     1        1 1 1 0000000000000001 100 0 0 10 0\n`

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

  it('is healthy with an established connection of either family', (t) => {
    assert.equal(healthExitCode(t, { tcp: heading + socket('0A') + socket('01'), tcp6: heading }), 0)
    assert.equal(healthExitCode(t, { tcp: heading, tcp6: heading + socket('01') }), 0)
    assert.equal(healthExitCode(t, { tcp: heading + socket('01'), tcp6: null }), 0)
  })

  it('is unhealthy when it only listens, connects or closes', (t) => {
    const others = ['02', '03', '04', '05', '06', '07', '08', '09', '0A', '0B'].map(socket).join('')
    assert.equal(healthExitCode(t, { tcp: heading + others, tcp6: heading }), 1)
    assert.equal(healthExitCode(t, { tcp: heading, tcp6: null }), 1)
  })
})
