/** The composition root: configuration → edges → flows, released in reverse. Nothing else wires parts together. */
import { Accounts } from './accounts.ts'
import { createCodec } from './avro/codec.ts'
import { createSchemaRegistry } from './avro/schema-registry.ts'
import { loadSchemas } from './avro/schema-store.ts'
import { writtenRecords } from './avro/topic-records.ts'
import { Backoff } from './backoff.ts'
import type { Config } from './config/config.ts'
import { sendStateTopic } from './config/derived-topics.ts'
import { anyPersonLogin } from './config/person-logins.ts'
import { createMailboxOwner } from './consumers/create-mailbox-owner.ts'
import { createSendOwner, sendInputTopics } from './consumers/create-send-owner.ts'
import { toPosthornError } from './errors.ts'
import type { Emit, Role } from './events.ts'
import { connectAdmin } from './kafka/connect-admin.ts'
import { createKafka } from './kafka/connect.ts'
import { GroupMember } from './kafka/group-member.ts'
import type { KafkaLog } from './kafka/kafka-log.ts'
import type { CreateOwner } from './kafka/partition-owner.ts'
import { createRecordProducer } from './kafka/record-producer.ts'
import { planTopics } from './kafka/topic-plan.ts'
import { TopicReader } from './kafka/topic-reader.ts'
import { countPartitions, ensureTopics } from './kafka/topics.ts'
import { startMonitor } from './http/monitor.ts'
import { withReleasers } from './lifecycle.ts'
import { createAccountConnections } from './mail/account-connections.ts'
import { createS3AttachmentStore } from './mail/s3-attachment-store.ts'
import { ByteBudget } from './producers/byte-budget.ts'
import { createKafkaTokens } from './oauth/kafka-tokens.ts'
import { OAuthTokens, requireEncryptionKey } from './oauth/oauth-tokens.ts'
import type { Awaited } from './readiness.ts'
import { reloadConfig } from './reload-config.ts'

/** Of received mail that is under way, all accounts together. */
const mailBytesInMemory = 48 * 1_048_576

export interface PosthornOptions {
  roles: readonly Role[]
  emit: Emit
  kafkaLog: KafkaLog
  /** Aborted: a start that is under way gives up. What runs is stopped by `stop`. */
  signal: AbortSignal
  now: () => number
  /** 0 (inclusive) to 1 (exclusive). */
  random: () => number
}

export interface Posthorn {
  /** Empty: the groups are joined, every owned partition works, and each owned folder has been synced. */
  readonly awaited: readonly Awaited[]
  /** Takes over the accounts of a configuration that was read again; tells what became of it as an event. */
  reload(renewed: Config): Promise<void>
  /** Stops taking, settles what is in flight, lets go of everything. */
  stop(): Promise<void>
}

/**
 * Resolves when the worker has connected and asked to join its groups.
 *
 * @throws PosthornError what keeps it from working: topics, Kafka, the registry; or the signal's reason. Nothing is left
 *   running then.
 */
export const startPosthorn = (config: Config, options: PosthornOptions): Promise<Posthorn> =>
  withReleasers(async (releasers) => {
    const { roles, kafkaLog, now, random } = options
    const members: GroupMember[] = []
    const accounts = new Accounts(config.accounts)
    let phase: 'start' | 'run' | 'stop' = 'start'
    const awaited = () => (phase === 'run' ? members.flatMap((member) => member.awaited) : [{ what: phase }])
    let { emit } = options
    if (config.http !== null) {
      const isAccount = (name: string) => accounts.get(name) !== null
      const monitor = await startMonitor(config.http, { emit, awaited, isAccount, now })
      releasers.add(() => monitor.close())
      emit = monitor.emit
    }
    if (anyPersonLogin(config.accounts)) requireEncryptionKey(config.oauth)
    const registry = config.avro.registry === null ? null : createSchemaRegistry(config.avro.registry)
    if (registry !== null) releasers.add(() => registry.close())
    const codec = createCodec({ schemas: loadSchemas(), encoding: config.avro.encoding, registry })

    const { clientId, sasl } = config.kafka
    const kafkaTokens = sasl?.mechanism === 'oauthbearer' ? createKafkaTokens(sasl.oauth2, { now, random }) : undefined
    const client = { clientId, log: kafkaLog, tokens: kafkaTokens }
    const kafka = createKafka(config.kafka, { ...client, patience: 'worker' })
    // The first connection tells a wrong address within seconds; later ones are patient.
    const probe = await connectAdmin(createKafka(config.kafka, { ...client, patience: 'command' }))
    try {
      await ensureTopics(probe, planTopics(config), { onRisk: (risk) => emit({ type: 'TopicRisk', ...risk }) })
    } finally {
      await probe.disconnect()
    }
    const admin = kafka.admin()
    releasers.add(() => admin.disconnect())
    await admin.connect()
    const { topics } = config.kafka
    for (const { record, topic } of writtenRecords(topics)) await codec.prepare(record, topic)

    const store = config.storage === null ? null : createS3AttachmentStore(config.storage)
    if (store !== null) releasers.add(() => store.close())

    const leave: (() => Promise<void>)[] = []
    const join = async (
      role: Role,
      groupId: string,
      inputTopics: [string, ...string[]],
      stateTopic: string,
      createOwner: CreateOwner,
      beforeLeaving: () => Promise<void> = async () => undefined,
    ) => {
      const member = new GroupMember({
        kafka,
        admin,
        groupId,
        inputTopics,
        stateTopic,
        createOwner,
        sessionTimeoutMs: config.kafka.sessionTimeoutMs,
        events: {
          joined: (partitions) => emit({ type: 'GroupJoined', role, partitions }),
          partitionReady: (partition) => emit({ type: 'PartitionReady', role, partition }),
          trouble: ({ code, message }) => emit({ type: 'KafkaTrouble', role, code, message }),
          lost: (loss) => emit({ type: 'RecordsLost', role, ...loss }),
        },
      })
      members.push(member)
      leave.push(async () => {
        await beforeLeaving()
        await member.stop()
      })
      await member.start()
    }

    const tokenTopic = { topic: topics.oauthTokens, from: 'beginning', untilEnd: false } as const
    const tokens = new OAuthTokens({
      config,
      openRecords: () => ({
        read: () => TopicReader.open({ ...tokenTopic, kafka, groupPrefix: config.kafka.group }),
        producer: createRecordProducer(kafka),
      }),
      patience: 'worker',
      emit,
      now,
      random,
    })
    releasers.add(() => tokens.close())
    const connections = createAccountConnections(tokens.of)
    const shared = { config, accounts, codec, store, connections, emit, now, random }
    // Side by side: each may take a while to settle what is in flight.
    releasers.add(() => Promise.all(leave.map((one) => one())))
    if (roles.includes('send')) {
      const partitionCount = await countPartitions(admin, topics.sendRequests)
      const { createOwner, stop } = createSendOwner({ ...shared, partitionCount })
      const inputs = sendInputTopics(config)
      await join('send', `${config.kafka.group}.send`, inputs, sendStateTopic(topics), createOwner, stop)
    }
    if (roles.includes('receive')) {
      const partitionCount = await countPartitions(admin, topics.commands)
      const newBackoff = () => new Backoff({ firstMs: 500, maxMs: 60_000, random })
      const createOwner = createMailboxOwner({
        ...shared,
        budget: new ByteBudget(mailBytesInMemory),
        partitionCount,
        newBackoff,
      })
      await join('receive', `${config.kafka.group}.mailboxes`, [topics.commands], topics.checkpoints, createOwner)
    }
    emit({ type: 'Started', roles, accounts: Object.keys(config.accounts) })

    // One at a time, in the order in which they came.
    let reloading: Promise<void> = Promise.resolve()
    const takeOver = async (renewed: Config): Promise<void> => {
      try {
        const changes = await reloadConfig(renewed, {
          running: config,
          accounts,
          ensureTopics: async (needed) => void (await ensureTopics(admin, planTopics({ ...config, accounts: needed }))),
        })
        tokens.keep(accounts.all)
        emit({ type: 'ConfigReloaded', ...changes })
      } catch (error) {
        const { code, message, action } = toPosthornError(error, 'configure')
        emit({ type: 'ConfigRejected', code, message, action })
      }
    }
    phase = 'run'
    return {
      get awaited() {
        return awaited()
      },
      reload: (renewed) => {
        reloading = reloading.then(() => takeOver(renewed))
        return reloading
      },
      stop: () => {
        phase = 'stop'
        return releasers.releaseAll()
      },
    }
  }, options.signal)
