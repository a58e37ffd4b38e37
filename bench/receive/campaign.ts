/**
 * Workers that receive mail are killed at random moments, over and over, while mail arrives. Afterwards an oracle counts:
 * of N messages exactly N records at read_committed, each attachment in the object store byte for byte, each after-read
 * action done, no dead letter.
 *
 * The work is spread over lanes: installations of their own (group, topics, accounts) on the same servers, since after
 * each kill Kafka waits a session timeout for the dead member. Lanes with two workers hand partitions over.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Config } from '../../src/config/config.ts'
import { connectMailbox } from '../../src/mail/imap-mailbox.ts'
import { createS3AttachmentStore } from '../../src/mail/s3-attachment-store.ts'
import type { Dovecot } from '../../test/support/dovecot-server.ts'
import { Cluster, codec } from '../../test/support/kafka.ts'
import { deploy, Worker, type Deployment, type Scope } from '../../test/support/worker.ts'
import { seededRandom } from '../../test/support/seeded-random.ts'

export interface CampaignOptions {
  kills: number
  messages: number
  lanes: number
  seed: number
  onProgress: (text: string) => void
}

export interface CampaignFigures {
  kills: number
  messages: number
  lost: number
  repeated: number
  objects: number
  damagedObjects: number
  deadLetters: number
  undoneAfterRead: number
  seconds: number
}

const afters = ['seen', 'delete', { move: 'Processed' }, 'none'] as const
/** Of what each kill waits after the worker says that it has started. */
const longestLifeMs = 3_000
const finishMs = 180_000

interface Mailbox {
  user: string
  after: (typeof afters)[number]
  delivered: number
}

/** An installation with mailboxes of every after-read action, and what was delivered to them. */
export class Lane {
  readonly #scope: Scope
  readonly #dovecot: Dovecot
  readonly #random: () => number
  readonly #mailboxes: Mailbox[]
  readonly #workers: Worker[] = []
  /** By Message-ID: the hashes of its attachments. */
  readonly #expected = new Map<string, string[]>()
  #deployment: Deployment | null = null

  constructor(scope: Scope, dovecot: Dovecot, random: () => number) {
    this.#scope = scope
    this.#dovecot = dovecot
    this.#random = random
    this.#mailboxes = afters.map((after) => ({ user: dovecot.newUser('campaign').user, after, delivered: 0 }))
  }

  /** @param brokers default: the shared one */
  async start(workers: number, brokers?: readonly string[]): Promise<void> {
    const accounts = this.#mailboxes.map(({ user, after }) => {
      const imap = {
        host: this.#dovecot.host,
        port: this.#dovecot.imapPort,
        security: 'none',
        allowPlaintextAuth: true,
        auth: { user, password: 'secret' },
      }
      return [user, { imap, receive: [{ folder: 'INBOX', start: 'earliest', after, poll: '2s' }] }] as const
    })
    for (const { user } of this.#mailboxes) await this.#dovecot.deliver({ user }, [])
    this.#deployment = await deploy(this.#scope, Object.fromEntries(accounts), {}, {}, brokers)
    for (let n = 0; n < workers; n += 1) this.#workers.push(this.#newWorker())
  }

  async deliver(count: number): Promise<void> {
    for (let n = 0; n < count; n += 1) {
      const mailbox = this.#mailboxes[Math.floor(this.#random() * this.#mailboxes.length)] ?? assert.fail()
      await this.#dovecot.deliver(mailbox, [this.#compose()])
      mailbox.delivered += 1
    }
  }

  /** Resolves when so many messages are published. */
  async published(count: number): Promise<void> {
    const { config } = this.#deployment ?? assert.fail()
    for (const worker of this.#workers) await worker.seen(({ event }) => event === 'Started')
    await new Cluster(this.#scope, config).take(config.kafka.topics.inbound, count)
  }

  async kill(): Promise<void> {
    const index = Math.floor(this.#random() * this.#workers.length)
    const worker = this.#workers[index] ?? assert.fail()
    await worker.seen(({ event }) => event === 'Started')
    await delay(this.#random() * longestLifeMs)
    await worker.kill()
    this.#workers[index] = this.#newWorker()
  }

  async check(): Promise<Omit<CampaignFigures, 'kills' | 'seconds'>> {
    const { config } = this.#deployment ?? assert.fail()
    const { inbound, deadLetters } = config.kafka.topics
    const cluster = new Cluster(this.#scope, config)
    const patience = delay(finishMs, null, { ref: false })
    await Promise.race([patience, cluster.take(inbound, this.#expected.size)])
    let undone = await this.#countUndone(config)
    for (const end = Date.now() + finishMs; undone > 0 && Date.now() < end; undone = await this.#countUndone(config)) {
      await delay(1_000)
    }
    for (const worker of this.#workers) assert.equal(await worker.stop(), 0)
    const times = new Map<string, number>()
    let objects = 0
    let damagedObjects = 0
    const store = createS3AttachmentStore(config.storage ?? assert.fail())
    for (const { value } of await cluster.readAll(inbound)) {
      const { messageId, attachments } = await codec.decode('InboundMessage', value)
      times.set(messageId ?? '', (times.get(messageId ?? '') ?? 0) + 1)
      const expected = this.#expected.get(messageId ?? '') ?? []
      if (attachments.length !== expected.length) damagedObjects += 1
      for (const [index, { object }] of attachments.entries()) {
        objects += 1
        const hash = createHash('sha256')
        try {
          for await (const chunk of await store.open(object)) hash.update(chunk as Buffer)
          if (hash.digest('hex') !== expected[index]) damagedObjects += 1
        } catch {
          damagedObjects += 1
        }
      }
    }
    store.close()
    return {
      messages: this.#expected.size,
      lost: [...this.#expected.keys()].filter((id) => !times.has(id)).length,
      repeated: [...times.values()].reduce((sum, count) => sum + count - 1, 0),
      objects,
      damagedObjects,
      deadLetters: (await cluster.readAll(deadLetters)).length,
      undoneAfterRead: undone,
    }
  }

  async #countUndone(config: Config): Promise<number> {
    let undone = 0
    for (const { user, after, delivered } of this.#mailboxes) {
      const mailbox = await connectMailbox(config.accounts[user]?.imap ?? assert.fail())
      const count = async (folder: string, unread: boolean | null) => {
        await mailbox.open(folder, { readOnly: true })
        return (await mailbox.searchUids({ unread }, 1)).length
      }
      if (after === 'seen') undone += await count('INBOX', true)
      else if (after === 'none') undone += delivered - (await count('INBOX', true))
      else undone += await count('INBOX', null)
      if (typeof after === 'object' && delivered > 0) {
        undone += await count(after.move, null).then(
          (there) => Math.abs(delivered - there),
          () => delivered,
        )
      }
      await mailbox.close()
    }
    return undone
  }

  /** Two thirds are plain, the others have up to three attachments; one in a thousand is too large to be held whole. */
  #compose(): string {
    const random = this.#random
    const messageId = `<${this.#expected.size}.${this.#mailboxes[0]?.user}@campaign>`
    const isHuge = random() < 0.001
    const sizes = isHuge ? [9_000_000] : random() < 0.67 ? [] : [1, 2, 3].slice(0, 1 + Math.floor(random() * 3))
    const contents = sizes.map((size) => {
      const bytes = Buffer.alloc(size > 3 ? size : Math.floor(random() * 40_000), `${messageId} ${random()} `)
      return bytes
    })
    this.#expected.set(
      messageId,
      contents.map((content) => createHash('sha256').update(content).digest('hex')),
    )
    const head = `From: a@example.com\r\nTo: b@example.com\r\nSubject: campaign\r\nMessage-ID: ${messageId}\r\nMIME-Version: 1.0\r\n`
    if (contents.length === 0) return `${head}\r\nplain text of ${messageId}\r\n`
    const parts = contents.map((content, index) => {
      const lines = (content.toString('base64').match(/.{1,76}/g) ?? []).join('\r\n')
      const fields = `Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename="${index}.bin"`
      return `--cut\r\n${fields}\r\nContent-Transfer-Encoding: base64\r\n\r\n${lines}\r\n`
    })
    return `${head}Content-Type: multipart/mixed; boundary=cut\r\n\r\n--cut\r\n\r\ntext\r\n${parts.join('')}--cut--\r\n`
  }

  #newWorker(): Worker {
    return new Worker(this.#scope, this.#deployment?.configFile ?? assert.fail())
  }
}

export const runCampaign = async (
  scope: Scope,
  dovecot: Dovecot,
  options: CampaignOptions,
): Promise<CampaignFigures> => {
  const begun = Date.now()
  const { kills, messages, seed, onProgress } = options
  const lanes = Array.from(
    { length: options.lanes },
    (_, n) => new Lane(scope, dovecot, seededRandom(seed * 1_000 + n)),
  )
  let killed = 0
  await Promise.all(
    lanes.map(async (lane, n) => {
      const ofLane = (total: number) =>
        Math.floor((total * (n + 1)) / lanes.length) - Math.floor((total * n) / lanes.length)
      await lane.start(n % 2 === 0 ? 2 : 1)
      const rounds = ofLane(kills)
      const share = Math.floor(ofLane(messages) / (rounds + 1))
      for (let round = 0; round < rounds; round += 1) {
        await Promise.all([lane.deliver(share), lane.kill()])
        killed += 1
        if (killed % 10 === 0) onProgress(`${killed} of ${kills} kills`)
      }
      await lane.deliver(ofLane(messages) - share * rounds)
    }),
  )
  onProgress('every kill is done; checking')
  const figures: CampaignFigures = {
    kills: killed,
    messages: 0,
    lost: 0,
    repeated: 0,
    objects: 0,
    damagedObjects: 0,
    deadLetters: 0,
    undoneAfterRead: 0,
    seconds: 0,
  }
  for (const found of await Promise.all(lanes.map((lane) => lane.check()))) {
    figures.messages += found.messages
    figures.lost += found.lost
    figures.repeated += found.repeated
    figures.objects += found.objects
    figures.damagedObjects += found.damagedObjects
    figures.deadLetters += found.deadLetters
    figures.undoneAfterRead += found.undoneAfterRead
  }
  return { ...figures, seconds: Math.round((Date.now() - begun) / 1_000) }
}
