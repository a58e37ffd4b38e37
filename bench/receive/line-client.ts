/** A connection of lines, for protocols that a benchmark speaks itself: nothing between it and the socket. */
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { createInterface } from 'node:readline'

export class LineClient {
  readonly #socket: Socket
  readonly #waiting: { isMeant: (line: string) => boolean; resolve: (at: number) => void }[] = []

  private constructor(socket: Socket) {
    this.#socket = socket
    createInterface({ input: socket }).on('line', (line) => {
      const at = performance.now()
      const index = this.#waiting.findIndex(({ isMeant }) => isMeant(line))
      if (index >= 0) for (const { resolve } of this.#waiting.splice(index, 1)) resolve(at)
    })
  }

  static async open(port: number): Promise<LineClient> {
    const socket = createConnection({ host: '127.0.0.1', port, noDelay: true })
    await once(socket, 'connect')
    return new LineClient(socket)
  }

  /** When the next line that is meant comes, as `performance.now()` counts. */
  seen(pattern: RegExp): Promise<number> {
    return new Promise((resolve) => this.#waiting.push({ isMeant: (line) => pattern.test(line), resolve }))
  }

  /** Sends a line and waits for its answer. */
  ask(line: string, answer: RegExp): Promise<number> {
    const seen = this.seen(answer)
    this.#socket.write(`${line}\r\n`)
    return seen
  }

  close(): void {
    this.#socket.destroy()
  }
}

/** A client that only waits: the limit of every client, since the server decides when it tells. */
export class BareIdle {
  readonly #client: LineClient
  #sent = 0

  private constructor(client: LineClient) {
    this.#client = client
  }

  static async open(port: number, { user, password }: { user: string; password: string }): Promise<BareIdle> {
    const client = await LineClient.open(port)
    await client.seen(/^\* OK/)
    await client.ask(`l LOGIN "${user}" "${password}"`, /^l OK/)
    await client.ask('s SELECT INBOX', /^s OK/)
    return new BareIdle(client)
  }

  /** Goes into IDLE. @returns when it is told of a new message */
  async wait(): Promise<{ told: Promise<number> }> {
    const told = this.#client.seen(/^\* \d+ EXISTS/)
    await this.#client.ask(`i${(this.#sent += 1)} IDLE`, /^\+/)
    return { told }
  }

  async done(): Promise<void> {
    await this.#client.ask('DONE', new RegExp(`^i${this.#sent} OK`))
  }

  close(): void {
    this.#client.close()
  }
}

/** Delivers one message after the other (RFC 2033). */
export class Lmtp {
  readonly #client: LineClient

  private constructor(client: LineClient) {
    this.#client = client
  }

  static async open(port: number): Promise<Lmtp> {
    const client = await LineClient.open(port)
    await client.seen(/^220/)
    await client.ask('LHLO bench', /^250 /)
    return new Lmtp(client)
  }

  /** @param text with CRLF and no line that begins with a dot. @returns when the server has taken it */
  async deliver(user: string, text: string): Promise<number> {
    await this.#client.ask('MAIL FROM:<bench@sender.example>', /^250/)
    await this.#client.ask(`RCPT TO:<${user}>`, /^250/)
    await this.#client.ask('DATA', /^354/)
    return this.#client.ask(`${text}\r\n.`, /^250/)
  }

  close(): void {
    this.#client.close()
  }
}
