/**
 * Address lists (RFC 5322 3.4, 4.4) into addresses. Groups are flattened. Broken lists are read so that no recipient
 * is lost: a missing comma or `>`, blanks around dots and `@`, several addresses where one should be.
 */
import type { Address } from '../message.ts'
import { tokenizeAddresses, type Token } from './address-tokens.ts'
import { decodeWords } from './decode-words.ts'
import type { DefectLog } from './defects.ts'

type Word = Extract<Token, { type: 'atom' | 'quoted' }>

/** Words without blanks between them. */
interface Unit {
  /** As written, quotes included. */
  raw: string
  /** With quotes resolved. */
  text: string
  folded: boolean
}

const unitsOf = (words: Word[]): Unit[] => {
  const units: Unit[] = []
  for (const word of words) {
    const raw = word.type === 'quoted' ? word.raw : word.text
    const last = units.at(-1)
    if (word.glued && last !== undefined) {
      last.raw += raw
      last.text += word.text
    } else {
      units.push({ raw, text: word.text, folded: word.folded })
    }
  }
  return units
}

const hasAt = (unit: Unit): boolean => unit.raw.length > 1 && unit.raw.includes('@') && !unit.raw.startsWith('=?')

const isJoint = (char: string | undefined): boolean => char === '.' || char === '@'

/** Joins what obsolete syntax lets stand apart, `john . doe @ example . com`, where that makes an address. */
const joinSpaced = (units: Unit[]): Unit[] => {
  if (!units.some(({ raw }) => isJoint(raw[0]) || isJoint(raw.at(-1)))) return units
  const joined: Unit[] = []
  for (let at = 0; at < units.length;) {
    const first = units[at] as Unit
    let hasSign = first.raw.includes('@')
    let end = at + 1
    for (; end < units.length; end++) {
      const { raw } = units[end] as Unit
      const isNext = isJoint(units[end - 1]?.raw.at(-1)) || isJoint(raw[0])
      if (!isNext || (hasSign && raw.includes('@'))) break
      hasSign ||= raw.includes('@')
    }
    const run = units.slice(at, end)
    const whole = { ...first, raw: run.map(({ raw }) => raw).join(''), text: run.map(({ text }) => text).join('') }
    if (hasSign && hasAt(whole)) joined.push(whole)
    else for (const unit of run) joined.push(unit)
    at = end
  }
  return joined
}

/** Without anything that needs to be looked at; a scheme such as `mailto:` is as written. */
const plainAddress = /^(?:[A-Za-z]{1,20}:)?[\w.+-]+@[\w.-]+$/

class ListReader {
  readonly addresses: Address[] = []
  malformed = false
  withoutAddress = false
  readonly #max: number
  readonly #defects: DefectLog
  #words: Word[] = []
  #comments: string[] = []
  /** The address in angle brackets that is complete but for what may follow it up to the next comma. */
  #open: Address | null = null

  /** Reads no further than one address more than `max`. */
  constructor(max: number, defects: DefectLog) {
    this.#max = max
    this.#defects = defects
  }

  read(tokens: Token[]): void {
    for (const token of tokens) {
      if (this.addresses.length > this.#max) return
      switch (token.type) {
        case 'atom':
        case 'quoted':
          this.#words.push(token)
          break
        case 'comment':
          this.#comments.push(token.text)
          break
        case 'angle':
          this.#angle(token.text)
          if (!token.closed) this.malformed = true
          break
        case ':':
          this.#colon()
          break
        case ';':
        case ',':
          this.#endEntry()
          break
      }
    }
    this.#endEntry()
  }

  /** The name of a group goes, also of one that is never closed; behind an address a colon is a character. */
  #colon(): void {
    if (this.#open !== null) return
    const last = this.#words.at(-1)
    if (!this.#words.some((word) => word.text.includes('@'))) {
      this.#words = []
      this.#comments = []
    } else if (last?.type === 'atom') {
      this.#words[this.#words.length - 1] = { ...last, text: `${last.text}:` }
    }
  }

  #angle(inner: string): void {
    const units = plainAddress.test(inner)
      ? [{ raw: inner, text: inner, folded: false }]
      : joinSpaced(unitsOf(wordsOf(inner.replace(/^\s*@[^:]*:/, ''))))
    const addresses = units.filter(hasAt).map(({ raw }) => raw)
    const [address = units.map((unit) => unit.raw).join(' '), ...more] = addresses
    if (this.#open !== null) {
      this.malformed = true
      this.#push(this.#open)
      this.#open = null
    }
    this.#splitAtFold()
    const name = this.#name(unitsOf(this.#words))
    this.#words = []
    // `<undisclosed-recipients:;>` is no address.
    this.#open = address === '' || address.endsWith(':') ? null : { name, address }
    if (more.length > 0) {
      this.malformed = true
      if (this.#open !== null) this.#push(this.#open)
      this.#open = null
      for (const other of more) this.#push({ name: null, address: other })
    }
  }

  /** `a@example.com`, a fold, `B <b@example.com>`: the comma was forgotten. */
  #splitAtFold(): void {
    const units = unitsOf(this.#words)
    const fold = units.findIndex((unit, index) => index > 0 && unit.folded && hasAt(units[index - 1] as Unit))
    if (fold < 0) return
    this.malformed = true
    let count = 0
    const words = this.#words.filter((word) => {
      if (!word.glued) count++
      return count > fold
    })
    this.#words = this.#words.slice(0, this.#words.length - words.length)
    this.#bare()
    this.#words = words
  }

  #endEntry(): void {
    if (this.#open === null) {
      this.#bare()
    } else {
      const open = this.#open
      const units = joinSpaced(unitsOf(this.#words))
      if (units.some(hasAt)) {
        this.malformed = true
        this.#push(open)
        this.#bare()
      } else {
        open.name ??= this.#name(units) ?? this.#commentName()
        this.#push(open)
      }
    }
    this.#open = null
    this.#words = []
    this.#comments = []
  }

  /** Words without angle brackets: those with an `@` are addresses, the others a name. */
  #bare(): void {
    const units = joinSpaced(unitsOf(this.#words))
    const addresses = units.filter(hasAt)
    if (addresses.length === 0) {
      if (units.length > 0) this.withoutAddress = true
      return
    }
    const names = units.filter((unit) => !hasAt(unit))
    if (addresses.length > 1 || names.length > 0) this.malformed = true
    const name = addresses.length > 1 ? null : (this.#name(names) ?? this.#commentName())
    for (const unit of addresses) this.#push({ name, address: unit.raw })
  }

  #name(units: Unit[]): string | null {
    const text = units.map((unit) => unit.text).join(' ')
    return decodeWords(text.replace(/\r?\n[ \t]*/g, ' '), this.#defects).trim() || null
  }

  #commentName(): string | null {
    return decodeWords(this.#comments.join(' ').replace(/\r?\n[ \t]*/g, ' '), this.#defects).trim() || null
  }

  #push(address: Address): void {
    const decoded = decodeWords(address.address, this.#defects)
    this.addresses.push({ name: address.name, address: decoded === '' ? address.address : decoded })
  }
}

const wordsOf = (text: string): Word[] =>
  tokenizeAddresses(text).flatMap((token): Word[] => {
    if (token.type === 'atom' || token.type === 'quoted') return [token]
    return token.type === 'comment'
      ? []
      : [{ type: 'atom', text: token.type === 'angle' ? token.text : token.type, glued: true, folded: false }]
  })

/** Reads all values of one field; at most `max` addresses. */
export const parseAddressList = (raws: string[], max: number, defects: DefectLog): Address[] => {
  const addresses: Address[] = []
  for (const raw of raws) {
    const reader = new ListReader(max - addresses.length, defects)
    reader.read(tokenizeAddresses(raw))
    if (reader.malformed) defects.add('address list: malformed; its addresses were recovered')
    if (reader.withoutAddress) defects.add('address list: an entry without an address was left out')
    for (const address of reader.addresses) {
      if (addresses.length >= max) {
        defects.add('address list: more addresses than the bound; the rest was left out')
        return addresses
      }
      addresses.push(address)
    }
  }
  return addresses
}
