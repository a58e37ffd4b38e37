import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import process from 'node:process'
import { describe, it } from 'node:test'
import { parse } from 'yaml'
import { compileConfig } from '../../src/config/compile-config.ts'
import type { Config } from '../../src/config/config.ts'
import { repositoryFile, wordsOf } from './dockerfile.ts'

interface Service {
  image?: string
  build?: string
  depends_on?: Record<string, { condition: string }>
  environment: Record<string, string>
  healthcheck?: { test: string[]; interval: string; timeout: string; retries: number }
  ports?: string[]
  volumes?: string[]
}

const composed = parse(repositoryFile('docker-compose.yml'), { merge: true }) as {
  services: Record<string, Service>
  volumes: Record<string, unknown>
}
const services = Object.entries(composed.services)

const service = (name: string): Service => {
  const found = composed.services[name]
  assert.ok(found, `docker-compose.yml has a service ${name}`)
  return found
}

/** What Compose puts in place of `${NAME:-default}` where NAME is not set. */
const interpolate = (text: string): string => text.replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1').replaceAll('$$', '$')

const environmentOf = (name: string): Record<string, string> =>
  Object.fromEntries(Object.entries(service(name).environment).map(([key, value]) => [key, interpolate(value)]))

const configPath = 'deploy/compose/posthorn.yaml'
const compileDemo = (env: Readonly<Record<string, string>> = environmentOf('posthorn')): Config =>
  compileConfig(repositoryFile(configPath), {
    fileName: configPath,
    env,
    readFile: (path) => assert.fail(`it names the file ${path}, which is not mounted`),
  })

describe('docker-compose.yml', () => {
  it('has the five services', () => {
    assert.deepEqual(Object.keys(composed.services).toSorted(), ['kafka', 'mail', 'posthorn', 'registry', 's3'])
  })

  it('pins every image to a whole version, or builds it here', () => {
    for (const [name, { image, build }] of services) {
      if (build === undefined) assert.match(image ?? '', /:\d+\.\d+\.\d+(\.Final)?$/, name)
      else assert.deepEqual([name, build, image], ['posthorn', '.', undefined])
    }
  })

  it('checks the health of every service within bounds', () => {
    for (const [name, { healthcheck }] of services) {
      assert.ok(healthcheck, name)
      const { test, interval, timeout, retries } = healthcheck
      assert.equal(test[0], 'CMD', name)
      assert.ok(test.length > 1, name)
      assert.deepEqual([interval, timeout, retries], ['10s', '10s', 12], name)
    }
  })

  it('takes Posthorn for healthy when it is ready, by its own port', async (t) => {
    let status = 200
    const server = createServer((request, response) => {
      response.writeHead(request.url === '/readyz' ? status : 404).end()
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    const { http } = compileDemo()
    const [, command = '', ...args] = service('posthorn').healthcheck?.test ?? []
    const { port } = server.address() as AddressInfo
    const check = async (): Promise<unknown> => {
      const child = spawn(
        command === 'node' ? process.execPath : command,
        args.map((word) => word.replace(`127.0.0.1:${http?.port}`, `127.0.0.1:${port}`)),
      )
      return (await once(child, 'exit'))[0]
    }
    assert.equal(await check(), 0)
    status = 503
    assert.equal(await check(), 1)
    server.closeAllConnections()
    server.close()
    assert.equal(await check(), 1)
  })

  it('leaves shell variables of the checks to the container', () => {
    for (const [name, { healthcheck }] of services) {
      for (const word of healthcheck?.test ?? []) assert.doesNotMatch(word.replaceAll('$$', ''), /\$/, name)
    }
  })

  it('starts Posthorn once everything else is healthy', () => {
    const others = Object.keys(composed.services).filter((name) => name !== 'posthorn')
    assert.deepEqual(Object.keys(service('posthorn').depends_on ?? {}).toSorted(), others.toSorted())
    for (const [name, { depends_on: dependencies = {} }] of services) {
      for (const [on, { condition }] of Object.entries(dependencies)) {
        assert.ok(composed.services[on], `${name} depends on ${on}`)
        assert.equal(condition, 'service_healthy', `${name} depends on ${on}`)
      }
    }
  })

  it('opens ports to this machine alone, none of them twice', () => {
    const ports = services.flatMap(([, { ports = [] }]) => ports)
    for (const port of ports) assert.match(port, /^127\.0\.0\.1:\d+:\d+$/)
    assert.equal(new Set(ports.map((port) => port.split(':')[1])).size, ports.length)
  })

  it('declares the volumes that it uses', () => {
    const used = services.flatMap(([, { volumes = [] }]) => volumes).map((volume) => volume.split(':')[0] ?? '')
    assert.deepEqual(used.filter((name) => !name.startsWith('./')).toSorted(), Object.keys(composed.volumes).toSorted())
  })

  it('mounts the configuration, read-only, where the image looks for it', () => {
    assert.deepEqual(service('posthorn').volumes, [`./${configPath}:${wordsOf('CMD').at(-1)}:ro`])
    assert.deepEqual(wordsOf('CMD').slice(0, -1), ['run', '--config'])
  })
})

describe(configPath, () => {
  it('compiles with the environment that docker-compose.yml gives, and needs all of it', () => {
    compileDemo()
    for (const name of Object.keys(service('posthorn').environment)) {
      const { [name]: _, ...rest } = environmentOf('posthorn')
      assert.throws(() => compileDemo(rest), { code: 'CONFIG_INVALID' }, `without ${name}`)
    }
  })

  it('names brokers as Kafka advertises them inside, and one replica for its one broker', () => {
    const { brokers, topics } = compileDemo().kafka
    const advertised = environmentOf('kafka')['KAFKA_ADVERTISED_LISTENERS'] ?? ''
    assert.deepEqual(brokers, [/INSIDE:\/\/([^,]+)/.exec(advertised)?.[1]])
    assert.equal(topics.replication, 1)
  })

  it('writes through the registry, at its port inside', () => {
    const { encoding, registry } = compileDemo().avro
    assert.equal(encoding, 'confluent')
    const { hostname, port, pathname } = new URL(registry?.url ?? '')
    assert.deepEqual([hostname, pathname], ['registry', '/apis/ccompat/v7'])
    assert.equal(service('registry').ports?.[0]?.split(':')[2], port)
  })

  it('stores in the bucket that the volume makes, with the credentials of the service', () => {
    const { storage } = compileDemo()
    const { S3PROXY_ENDPOINT, S3PROXY_IDENTITY, S3PROXY_CREDENTIAL } = environmentOf('s3')
    assert.ok(storage)
    assert.equal(storage.endpoint, S3PROXY_ENDPOINT?.replace('0.0.0.0', 's3'))
    assert.equal(storage.pathStyle, true)
    assert.deepEqual([storage.accessKeyId, storage.secretAccessKey?.reveal()], [S3PROXY_IDENTITY, S3PROXY_CREDENTIAL])
    assert.deepEqual(service('s3').volumes, [`s3-data:/data/${storage.bucket}`])
  })

  it('logs in to the mail server as the user that it has', () => {
    const { smtp, imap, receive } = compileDemo().accounts['support'] ?? {}
    const [, login, password, domain] =
      /-Dgreenmail\.users=([^:]+):([^@]+)@(\S+)/.exec(environmentOf('mail')['GREENMAIL_OPTS'] ?? '') ?? []
    assert.ok(smtp && imap)
    for (const { auth, host, allowPlaintextAuth } of [smtp, imap]) {
      assert.ok(auth?.method === 'password')
      assert.deepEqual([host, auth.user, auth.password.reveal(), allowPlaintextAuth], ['mail', login, password, true])
    }
    assert.equal(smtp.from, `${login}@${domain}`)
    assert.deepEqual(
      [smtp.port, imap.port],
      service('mail').ports?.map((port) => Number(port.split(':')[2])),
    )
    assert.equal(receive?.[0]?.folder, 'INBOX')
  })
})
