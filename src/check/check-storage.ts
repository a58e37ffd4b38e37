import type { Check } from './check-result.ts'

export interface StorageCheckPorts {
  /** Puts, gets and deletes an object. @throws PosthornError */
  probe: () => Promise<void>
}

export const checkStorage = (bucket: string, { probe }: StorageCheckPorts): Check => ({
  component: 'storage',
  account: null,
  run: async (takeStep) => {
    await takeStep('put, get, delete', probe, () => `an object was written to bucket ${bucket}, read and deleted`)
  },
})
