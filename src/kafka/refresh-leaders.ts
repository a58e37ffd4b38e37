/**
 * kafkajs 2.2.4 asks the broker that it takes for a partition's leader for its offsets, and where that is the leader no more
 * it goes on asking it until its metadata is five minutes old. A worker asks before it works on a partition: for as long,
 * after brokers were restarted, nothing would be sent or received there. Here it asks who leads now, and once more.
 */
import { createRequire } from 'node:module'

interface ClusterClass {
  prototype: {
    fetchTopicsOffset(topics: unknown): Promise<unknown>
    refreshMetadata(): Promise<unknown>
  }
}

let isPatched = false

/** Of the version that package.json pins. Once is enough. */
export const refreshLeaders = (): void => {
  if (isPatched) return
  isPatched = true
  const { prototype } = createRequire(import.meta.url)('kafkajs/src/cluster') as ClusterClass
  const { fetchTopicsOffset } = prototype
  prototype.fetchTopicsOffset = async function (topics) {
    try {
      return await fetchTopicsOffset.call(this, topics)
    } catch (error) {
      if ((error as { type?: unknown }).type !== 'NOT_LEADER_FOR_PARTITION') throw error
      await this.refreshMetadata()
      return fetchTopicsOffset.call(this, topics)
    }
  }
}
