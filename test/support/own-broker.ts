/** A Kafka of a test's own, which can be killed and started again with what it has kept. */
import { homedir } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { readCacheSettings } from '../../src/embedded/cache-settings.ts'
import { fetchJars } from '../../src/embedded/fetch-jars.ts'
import { findJava } from '../../src/embedded/java.ts'
import { startKafka } from '../../src/embedded/kafka-server.ts'
import type { Supervisor } from '../../src/embedded/supervisor.ts'

export interface OwnBroker {
  brokers: readonly string[]
  /** SIGKILL, and a start at the same address. @param outageMs how long nobody listens there, at least */
  restart(outageMs: number): Promise<void>
}

export const startOwnBroker = async (
  supervisor: Supervisor,
  dataDir: string,
  onProgress: (text: string) => void = () => undefined,
): Promise<OwnBroker> => {
  const { signal } = new AbortController()
  const cache = readCacheSettings(process.env, homedir())
  const { path: java } = await findJava({ ...cache, onProgress })
  const { kafka: jars } = await fetchJars(['kafka'], { ...cache, signal, onProgress: () => undefined })
  const options = { supervisor, java, signal, jars, dataDir }
  let running = await startKafka(options)
  return {
    brokers: running.brokers,
    restart: async (outageMs) => {
      await running.process.kill()
      await delay(outageMs)
      running = await startKafka({ ...options, port: running.port })
    },
  }
}
