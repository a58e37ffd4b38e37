/**
 * Assigns partition numbers, not topic partitions: whoever gets number p gets p of every subscribed topic, so that a
 * worker reads the state of a partition from the same hands that write it. Sticky: a member keeps what it owned as far
 * as the balance allows (compare KIP-54).
 */
import kafkajs, {
  AssignerProtocol,
  type Assigner,
  type Cluster,
  type GroupMember,
  type GroupMemberAssignment,
} from 'kafkajs'

export interface MemberClaim {
  memberId: string
  /** Partition numbers that the member owns now. */
  owned: readonly number[]
}

/**
 * Pure. Every partition goes to exactly one member; the loads differ by at most one.
 * The same input gives the same answer, whatever the order of the members.
 */
export const assignPartitions = (partitionCount: number, claims: readonly MemberClaim[]): Map<string, number[]> => {
  const members = [...claims].sort((a, b) => (a.memberId < b.memberId ? -1 : 1))
  const assignment = new Map<string, number[]>(members.map(({ memberId }) => [memberId, []]))
  if (members.length === 0) return assignment

  const least = Math.floor(partitionCount / members.length)
  let withOneMore = partitionCount % members.length
  const taken = new Set<number>()
  for (const { memberId, owned } of members) {
    const free = [...new Set(owned)].filter((p) => p >= 0 && p < partitionCount && !taken.has(p)).sort((a, b) => a - b)
    const share = withOneMore > 0 && free.length > least ? least + 1 : least
    if (share > least) withOneMore -= 1
    for (const partition of free.slice(0, share)) {
      taken.add(partition)
      assignment.get(memberId)?.push(partition)
    }
  }

  for (let partition = 0; partition < partitionCount; partition += 1) {
    if (taken.has(partition)) continue
    let target: number[] | undefined
    for (const load of assignment.values()) if (target === undefined || load.length < target.length) target = load
    target?.push(partition)
  }
  for (const load of assignment.values()) load.sort((a, b) => a - b)
  return assignment
}

const protocolName = 'posthorn-co-partitioned'
const version = 1

const readOwned = (userData: Buffer): number[] => {
  try {
    const owned: unknown = JSON.parse(userData.toString('utf8'))
    return Array.isArray(owned) ? owned.filter((p): p is number => Number.isInteger(p)) : []
  } catch {
    return []
  }
}

export interface AssignerHooks {
  /** What this member owns at the moment, sent with each join. */
  owned: () => readonly number[]
  /**
   * Awaited before each JoinGroup and LeaveGroup request. kafkajs has no callback for revoked partitions; the first thing
   * that its join does is to look the coordinator up, on the cluster object that every assigner is given.
   */
  beforeGivingUp: () => Promise<void>
}

/** The broker that coordinates the group, as kafkajs asks it. */
interface Coordinator {
  leaveGroup(request: unknown): Promise<unknown>
  offsetCommit(request: unknown): Promise<unknown>
}
interface CoordinatedCluster {
  findGroupCoordinator(request: { groupId: string }): Promise<Coordinator>
}

/**
 * Offsets are committed by the ledgers alone. kafkajs, with `autoCommit` off, commits in one case: where the offset to be
 * read is not in the topic any more it commits the default one and goes on there, as if nothing had been lost. Failing
 * instead, the consumer crashes, and the next claim finds out what has gone (`fit-position.ts`).
 */
const refuseCommit = async (): Promise<never> => {
  throw new kafkajs.KafkaJSNonRetriableError('the offset that is to be read is not in the topic any more')
}

/** The assigner in the form that kafkajs takes. */
export const coPartitionAssigner =
  (hooks: AssignerHooks) =>
  ({ cluster, groupId }: { cluster: Cluster; groupId: string }): Assigner => {
    const coordinated = cluster as unknown as CoordinatedCluster
    const findGroupCoordinator = coordinated.findGroupCoordinator.bind(cluster)
    const known = new WeakSet<Coordinator>()
    coordinated.findGroupCoordinator = async (request) => {
      if (request.groupId !== groupId) return findGroupCoordinator(request)
      await hooks.beforeGivingUp()
      const coordinator = await findGroupCoordinator(request)
      if (known.has(coordinator)) return coordinator
      known.add(coordinator)
      const leaveGroup = coordinator.leaveGroup.bind(coordinator)
      coordinator.leaveGroup = async (leave) => {
        await hooks.beforeGivingUp()
        return leaveGroup(leave)
      }
      coordinator.offsetCommit = refuseCommit
      return coordinator
    }

    return {
      name: protocolName,
      version,
      protocol: ({ topics }) => ({
        name: protocolName,
        metadata: AssignerProtocol.MemberMetadata.encode({
          version,
          topics,
          userData: Buffer.from(JSON.stringify(hooks.owned()), 'utf8'),
        }),
      }),
      assign: async ({
        members,
        topics,
      }: {
        members: GroupMember[]
        topics: string[]
      }): Promise<GroupMemberAssignment[]> => {
        const counts = topics.map((topic) => cluster.findTopicPartitionMetadata(topic).length)
        const claims = members.map(({ memberId, memberMetadata }) => ({
          memberId,
          owned: readOwned(AssignerProtocol.MemberMetadata.decode(memberMetadata)?.userData ?? Buffer.alloc(0)),
        }))
        return [...assignPartitions(Math.max(0, ...counts), claims)].map(([memberId, partitions]) => ({
          memberId,
          memberAssignment: AssignerProtocol.MemberAssignment.encode({
            version,
            assignment: Object.fromEntries(
              topics.map((topic, index) => [topic, partitions.filter((p) => p < (counts[index] ?? 0))]),
            ),
            userData: Buffer.alloc(0),
          }),
        }))
      },
    }
  }
