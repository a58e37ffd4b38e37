/**
 * Where the time goes, out of a .cpuprofile of Node: `node --import tsx bench/read-profile.ts FILE [rows]`. Self time by
 * area (a folder of Posthorn, a package, Node itself) and by function, as shares of the time that was not idle.
 */
import { readFileSync } from 'node:fs'

interface ProfileNode {
  id: number
  callFrame: { functionName: string; url: string; lineNumber: number }
  children?: number[]
}
interface CpuProfile {
  nodes: ProfileNode[]
  samples: number[]
  timeDeltas: number[]
}

const [file = '', rows = '40'] = process.argv.slice(2)
const profile = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile
const nodes = new Map(profile.nodes.map((node) => [node.id, node]))

const placeOf = ({ callFrame: { url } }: ProfileNode): string =>
  url.replace(/^.*\/node_modules\//, '').replace(/^.*\/dist\//, 'posthorn/')

/** `posthorn/mail/smtp`, `kafkajs`, `node:net`, or what V8 calls itself: `(garbage collector)`. */
const areaOf = (node: ProfileNode): string => {
  const place = placeOf(node)
  if (place === '') return node.callFrame.functionName
  if (place.startsWith('node:')) return place
  const parts = place.split('/')
  if (parts[0] === 'kafkajs') return parts.slice(0, 3).join('/')
  return parts[0] === 'posthorn' || parts[0]?.startsWith('@') === true
    ? parts.slice(0, -1).join('/')
    : (parts[0] ?? place)
}

const nameOf = (node: ProfileNode): string =>
  `${node.callFrame.functionName || '(anonymous)'} ${placeOf(node)}:${node.callFrame.lineNumber + 1}`

const selfTimes = new Map<number, number>()
for (const [at, id] of profile.samples.entries()) {
  selfTimes.set(id, (selfTimes.get(id) ?? 0) + (profile.timeDeltas[at] ?? 0))
}

const sumBy = (keyOf: (node: ProfileNode) => string): [string, number][] => {
  const sums = new Map<string, number>()
  for (const [id, time] of selfTimes) {
    const node = nodes.get(id)
    if (node === undefined || node.callFrame.functionName === '(idle)') continue
    sums.set(keyOf(node), (sums.get(keyOf(node)) ?? 0) + time)
  }
  return [...sums].sort(([, a], [, b]) => b - a)
}

const idle = [...selfTimes].reduce(
  (sum, [id, time]) => sum + (nodes.get(id)?.callFrame.functionName === '(idle)' ? time : 0),
  0,
)
const busy = sumBy(() => 'all')[0]?.[1] ?? 0
console.log(`busy ${(busy / 1e6).toFixed(2)} s, idle ${(idle / 1e6).toFixed(2)} s`)
for (const keyOf of [areaOf, nameOf]) {
  console.log('')
  for (const [key, time] of sumBy(keyOf).slice(0, Number(rows))) {
    console.log(`${((time / busy) * 100).toFixed(1).padStart(5)} % ${key}`)
  }
}
