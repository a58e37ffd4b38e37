import type { Check } from './check-result.ts'

export interface RegistryCheckPorts {
  /** @returns how many subjects there are. @throws PosthornError */
  countSubjects: () => Promise<number>
}

export const checkRegistry = (url: string, { countSubjects }: RegistryCheckPorts): Check => ({
  component: 'registry',
  account: null,
  run: async (takeStep) => {
    await takeStep('connect', countSubjects, (count) => `${url} has ${count} subjects`)
  },
})
