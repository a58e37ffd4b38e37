/** The Dovecot of a test, which ends with the tests of the file. */
import { after } from 'node:test'
import { startDovecot, type Dovecot, type DovecotOptions } from './dovecot-server.ts'

export type { Dovecot } from './dovecot-server.ts'

const running = new Set<Dovecot>()
// Here, so that it is a hook of the whole file, wherever in it the first server was asked for.
after(() => Promise.all([...running].map((dovecot) => dovecot.release())))

const startAndRegister = async (options: DovecotOptions): Promise<Dovecot> => {
  const dovecot = await startDovecot(options)
  running.add(dovecot)
  return dovecot
}

const started = new Map<string, Promise<Dovecot>>()

/**
 * One server for each process and set of options, and its own for a test that stops it: `{ alone: true }`.
 */
export const testDovecot = ({
  alone = false,
  ...options
}: DovecotOptions & { alone?: boolean } = {}): Promise<Dovecot> => {
  if (alone) return startAndRegister(options)
  const key = JSON.stringify(options)
  const known = started.get(key) ?? startAndRegister(options)
  started.set(key, known)
  return known
}
