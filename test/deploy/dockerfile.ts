import { readFileSync } from 'node:fs'

interface Instruction {
  name: string
  /** As written, continued lines joined. */
  value: string
}

export const repositoryFile = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

export const instructions: readonly Instruction[] = repositoryFile('Dockerfile')
  .replaceAll(/^#.*\n/gm, '')
  .replaceAll(/\\\n\s*/g, '')
  .split('\n')
  .filter((line) => line.trim() !== '')
  .map((line) => {
    const [, name = '', value = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? []
    return { name, value }
  })

export const valuesOf = (name: string): string[] =>
  instructions.filter((instruction) => instruction.name === name).map(({ value }) => value)

/** The words of the instruction's exec form. */
export const wordsOf = (name: string): string[] => {
  const list = /\[.*\]$/.exec(valuesOf(name).at(-1) ?? '')?.[0] ?? '[]'
  return JSON.parse(list) as string[]
}
