import type { StorageConfig } from '../config/config.ts'
import { takeUrlTlsStep } from './check-network.ts'
import type { Check } from './check-result.ts'

export interface StorageCheckPorts {
  /** Puts, gets and deletes an object. @throws PosthornError */
  probe: () => Promise<void>
}

export type CheckedStorage = Pick<StorageConfig, 'endpoint' | 'bucket' | 'tls'>

/** @param now milliseconds since the epoch */
export const checkStorage = (
  { endpoint, bucket, tls }: CheckedStorage,
  { probe }: StorageCheckPorts,
  now: () => number,
): Check => ({
  component: 'storage',
  account: null,
  run: async (takeStep) => {
    await takeUrlTlsStep('storage', endpoint, tls, takeStep, now)
    await takeStep('put, get, delete', probe, () => `an object was written to bucket ${bucket}, read and deleted`)
  },
})
