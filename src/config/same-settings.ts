import { Secret } from './secret.ts'

/** Whether two compiled settings mean the same, secrets included (pure). */
export const sameSettings = (left: unknown, right: unknown): boolean => {
  if (left instanceof Secret || right instanceof Secret) {
    return left instanceof Secret && right instanceof Secret && left.reveal() === right.reveal()
  }
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return left === right
  const [a, b] = [left as Record<string, unknown>, right as Record<string, unknown>]
  const names = Object.keys(a)
  return (
    Array.isArray(a) === Array.isArray(b) &&
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && sameSettings(a[name], b[name]))
  )
}
