/**
 * A TCP proxy in front of a real broker that loses or alters exactly the exchange that a test names.
 *
 * It understands no more of the protocol than the frame and the header of a request (api key, version, correlation id,
 * client id); that suffices to match each response with its request. Brokers tell clients their own address: the proxy
 * puts its port into Metadata and FindCoordinator responses, which keeps their length, so everything goes through it.
 */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

/** Numbers of the protocol's requests, as far as tests name them. */
const apiKeys = {
  Produce: 0,
  Fetch: 1,
  ListOffsets: 2,
  Metadata: 3,
  OffsetFetch: 9,
  FindCoordinator: 10,
  JoinGroup: 11,
  Heartbeat: 12,
  SyncGroup: 14,
  InitProducerId: 22,
  AddPartitionsToTxn: 24,
  AddOffsetsToTxn: 25,
  EndTxn: 26,
  TxnOffsetCommit: 28,
} as const
export type Api = keyof typeof apiKeys

export interface KafkaRequest {
  apiKey: number
  version: number
  clientId: string
  /** From the api key on. */
  bytes: Buffer
}

/**
 * `lose-request`: the broker never sees it. `lose-response`: the broker has done what was asked. Both cut the connection.
 * A function gets the response after its correlation id and says what the client gets, at once or later: until then, and
 * in order, nothing further comes on this connection.
 */
export type Fault = 'lose-request' | 'lose-response' | ((response: Buffer) => Buffer | Promise<Buffer>)

interface Plan {
  apiKey: number
  fault: Fault
  when: (request: KafkaRequest) => boolean
  struck: () => void
}

export class KafkaProxy {
  /** What a client is given instead of the broker's own address. */
  readonly brokers: string[]
  readonly #server: Server
  readonly #target: { host: string; port: number }
  readonly #plans: Plan[] = []
  readonly #links = new Set<Link>()
  #isDown = false

  private constructor(server: Server, broker: string) {
    const [host = '', port] = broker.split(':')
    this.#server = server
    this.#target = { host, port: Number(port) }
    this.brokers = [`${host}:${this.port}`]
    server.on('connection', (client) => {
      if (this.#isDown) {
        client.destroy()
        return
      }
      const link = new Link(client, connect(this.#target), {
        fault: (request) => this.#take(request),
        readdress: (frame) => this.#readdress(frame),
        closed: () => this.#links.delete(link),
      })
      this.#links.add(link)
    })
  }

  /** @param broker `127.0.0.1:<port>`, the address that the broker advertises */
  static async start(t: TestContext, broker: string): Promise<KafkaProxy> {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const proxy = new KafkaProxy(server, broker)
    t.after(() => {
      server.close()
      proxy.cut()
    })
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Resolves when the fault has struck: the next such request, once. Several are used up in the order of the calls. */
  next(api: Api, fault: Fault, when: Plan['when'] = () => true): Promise<void> {
    return new Promise((resolve) => {
      this.#plans.push({ apiKey: apiKeys[api], fault, when, struck: resolve })
    })
  }

  /** Cuts every connection; new ones are taken. */
  cut(): void {
    for (const link of this.#links) link.cut()
  }

  /** Until `up` nobody gets through, as while a broker is away. */
  down(): void {
    this.#isDown = true
    this.cut()
  }

  up(): void {
    this.#isDown = false
  }

  #take(request: KafkaRequest): Plan | undefined {
    const at = this.#plans.findIndex(({ apiKey, when }) => apiKey === request.apiKey && when(request))
    return at < 0 ? undefined : this.#plans.splice(at, 1)[0]
  }

  #readdress(frame: Buffer): void {
    const { host, port } = this.#target
    const address = Buffer.alloc(host.length + 4)
    address.write(host)
    address.writeUInt32BE(port, host.length)
    for (let at = frame.indexOf(address); at >= 0; at = frame.indexOf(address, at)) {
      at = frame.writeUInt32BE(this.port, at + host.length)
    }
  }
}

interface LinkHooks {
  fault(request: KafkaRequest): Plan | undefined
  readdress(frame: Buffer): void
  closed(): void
}

/** One client connection and its own to the broker. */
class Link {
  readonly #client: Socket
  readonly #broker: Socket
  readonly #hooks: LinkHooks
  /** By correlation id. */
  readonly #inFlight = new Map<number, { request: KafkaRequest; plan: Plan | undefined }>()
  #delivering: Promise<void> = Promise.resolve()

  constructor(client: Socket, broker: Socket, hooks: LinkHooks) {
    this.#client = client
    this.#broker = broker
    this.#hooks = hooks
    for (const socket of [client, broker]) {
      socket.setNoDelay(true)
      socket.on('error', () => undefined)
      socket.on('close', () => this.cut())
    }
    client.on(
      'data',
      inFrames((frame) => this.#onRequest(frame)),
    )
    broker.on(
      'data',
      inFrames((frame) => {
        this.#delivering = this.#delivering.then(() => this.#onResponse(frame))
      }),
    )
  }

  cut(): void {
    this.#client.destroy()
    this.#broker.destroy()
    this.#hooks.closed()
  }

  #onRequest(frame: Buffer): void {
    const clientIdLength = Math.max(0, frame.readInt16BE(12))
    const request: KafkaRequest = {
      apiKey: frame.readInt16BE(4),
      version: frame.readInt16BE(6),
      clientId: frame.toString('utf8', 14, 14 + clientIdLength),
      bytes: frame.subarray(4),
    }
    const plan = this.#hooks.fault(request)
    if (plan?.fault === 'lose-request') {
      this.cut()
      return plan.struck()
    }
    this.#inFlight.set(frame.readInt32BE(8), { request, plan })
    this.#broker.write(frame)
  }

  async #onResponse(frame: Buffer): Promise<void> {
    const correlationId = frame.readInt32BE(4)
    const { request, plan } = this.#inFlight.get(correlationId) ?? {}
    this.#inFlight.delete(correlationId)
    if (request?.apiKey === apiKeys.Metadata || request?.apiKey === apiKeys.FindCoordinator) {
      this.#hooks.readdress(frame)
    }
    if (plan === undefined || plan.fault === 'lose-request') return void this.#client.write(frame)
    if (plan.fault === 'lose-response') this.cut()
    else this.#client.write(toFrame(frame.subarray(4, 8), await plan.fault(frame.subarray(8))))
    plan.struck()
  }
}

const toFrame = (...parts: readonly Buffer[]): Buffer => {
  const frame = Buffer.concat([Buffer.alloc(4), ...parts])
  frame.writeInt32BE(frame.length - 4)
  return frame
}

/** Cuts a stream into frames: four bytes of length, then so many bytes. A frame is handed over with its length. */
const inFrames = (take: (frame: Buffer) => void): ((chunk: Buffer) => void) => {
  let rest: Buffer = Buffer.alloc(0)
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const end = 4 + rest.readInt32BE(0)
      take(rest.subarray(0, end))
      rest = rest.subarray(end)
    }
  }
}
