/** A folder of the scripted IMAP server: what RFC 3501 says of messages, without a network. */

export interface StoredMessage {
  uid: number
  raw: string
  flags: Set<string>
  receivedAt: Date
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const two = (n: number): string => String(n).padStart(2, '0')

/** `date-time` of RFC 3501 9. */
const toInternalDate = (date: Date): string =>
  `${two(date.getUTCDate())}-${months[date.getUTCMonth()]}-${date.getUTCFullYear()} ` +
  `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`

const toDay = (text: string): number => {
  const [day = '', month = '', year = ''] = text.replaceAll('"', '').split('-')
  return Date.UTC(Number(year), months.indexOf(month), Number(day))
}

const dayOf = (date: Date): number => Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate())

export class ScriptFolder {
  messages: StoredMessage[] = []
  uidValidity = 1
  uidNext = 1

  add(raw: string, flags: readonly string[] = [], receivedAt = new Date()): StoredMessage {
    const message = { uid: this.uidNext, raw, flags: new Set(flags), receivedAt }
    this.uidNext += 1
    this.messages.push(message)
    return message
  }

  /** Every message under a new UID, as after the server has lost its index. */
  renumber(): void {
    this.uidValidity += 1
    this.uidNext = 1
    for (const message of this.messages) {
      message.uid = this.uidNext
      this.uidNext += 1
    }
  }

  /** `1:3,7,9:*`: `n:*` always has the last message (RFC 3501 6.4.8). */
  inSet(set: string): StoredMessage[] {
    const highest = this.messages.at(-1)?.uid ?? 0
    const bounds = set.split(',').map((part) => {
      const [first = 0, last = first] = part.split(':').map((one) => (one === '*' ? highest : Number(one)))
      return [Math.min(first, last), Math.max(first, last)] as const
    })
    return this.messages.filter(({ uid }) => bounds.some(([first, last]) => uid >= first && uid <= last))
  }

  remove(uids: ReadonlySet<number>): number[] {
    const removed: number[] = []
    for (let index = this.messages.length - 1; index >= 0; index -= 1) {
      if (!uids.has(this.messages[index]?.uid ?? 0)) continue
      this.messages.splice(index, 1)
      removed.push(index + 1)
    }
    return removed
  }

  /** The criteria that Posthorn uses. */
  search(criteria: string): number[] {
    const words = criteria.match(/"[^"]*"|\S+/g) ?? []
    let found = [...this.messages]
    const keep = (test: (message: StoredMessage) => boolean) => (found = found.filter(test))
    for (let at = 0; at < words.length; at += 1) {
      const next = () => (words[(at += 1)] ?? '').replace(/^"|"$/g, '')
      switch ((words[at] ?? '').toUpperCase()) {
        case 'ALL':
          break
        case 'UID': {
          const set = new Set(this.inSet(next()))
          keep((message) => set.has(message))
          break
        }
        case 'SEEN':
          keep(({ flags }) => flags.has('\\Seen'))
          break
        case 'UNSEEN':
          keep(({ flags }) => !flags.has('\\Seen'))
          break
        case 'KEYWORD': {
          const word = next()
          keep(({ flags }) => flags.has(word))
          break
        }
        case 'LARGER': {
          const size = Number(next())
          keep(({ raw }) => raw.length > size)
          break
        }
        case 'SMALLER': {
          const size = Number(next())
          keep(({ raw }) => raw.length < size)
          break
        }
        case 'SINCE': {
          const day = toDay(next())
          keep(({ receivedAt }) => dayOf(receivedAt) >= day)
          break
        }
        case 'BEFORE': {
          const day = toDay(next())
          keep(({ receivedAt }) => dayOf(receivedAt) < day)
          break
        }
        case 'HEADER': {
          const [name, value] = [next().toLowerCase(), next()]
          keep(({ raw }) =>
            headerLines(raw).some(
              (line) => line.toLowerCase().startsWith(`${name}:`) && line.toLowerCase().includes(value.toLowerCase()),
            ),
          )
          break
        }
        default:
          throw new Error(`the scripted server does not know the search key ${words[at]}`)
      }
    }
    return found.map(({ uid }) => uid)
  }
}

const headerLines = (raw: string): string[] => (raw.split('\r\n\r\n', 1)[0] ?? '').split(/\r\n(?![ \t])/)

export const quoted = (text: string): string => `"${text.replaceAll(/["\\]/g, '\\$&')}"`

export const unquote = (text: string): string =>
  text.startsWith('"') ? text.slice(1, -1).replaceAll(/\\(["\\])/g, '$1') : text.replace(/^\{\d+\+?\}\r\n/, '')

/** The answer to a FETCH of these items. */
export const describeMessage = (folder: ScriptFolder, message: StoredMessage, items: string): string => {
  const { uid, raw, flags, receivedAt } = message
  const parts = [`UID ${uid}`]
  if (items.includes('FLAGS')) parts.push(`FLAGS (${[...flags].join(' ')})`)
  if (items.includes('INTERNALDATE')) parts.push(`INTERNALDATE "${toInternalDate(receivedAt)}"`)
  if (items.includes('RFC822.SIZE')) parts.push(`RFC822.SIZE ${raw.length}`)
  const fields = /BODY\.PEEK\[HEADER\.FIELDS \(([^)]*)\)\]/.exec(items)
  if (fields !== null) {
    const wanted = fields[1]?.toLowerCase().split(' ') ?? []
    const lines = headerLines(raw).filter((line) => wanted.includes((line.split(':', 1)[0] ?? '').toLowerCase()))
    const text = `${lines.map((line) => `${line}\r\n`).join('')}\r\n`
    parts.push(`BODY[HEADER.FIELDS (${fields[1]})] {${text.length}}\r\n${text}`)
  }
  const body = /BODY\.PEEK\[\](?:<(\d+)\.(\d+)>)?/.exec(items)
  if (body !== null) {
    const start = Number(body[1] ?? 0)
    const text = raw.slice(start, body[2] === undefined ? undefined : start + Number(body[2]))
    parts.push(`BODY[]${body[1] === undefined ? '' : `<${start}>`} {${text.length}}\r\n${text}`)
  }
  return `${folder.messages.indexOf(message) + 1} FETCH (${parts.join(' ')})`
}

/** `+FLAGS.SILENT (\Seen)` or `-FLAGS …`. */
export const store = (messages: readonly StoredMessage[], items: string): void => {
  const named = /\(([^)]*)\)/.exec(items)?.[1]?.split(' ') ?? []
  for (const { flags } of messages) {
    for (const flag of named) {
      if (items.startsWith('-')) flags.delete(flag)
      else flags.add(flag)
    }
  }
}
