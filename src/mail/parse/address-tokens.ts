/**
 * The words of an address list (RFC 5322 3.2, 4.4), as mail programs write them. Nothing is rejected: an opening
 * quote, bracket or parenthesis without its partner is a plain character. One pass, linear in the input.
 */
import { nextIndexOf } from './next-index.ts'

export type Token =
  | { type: 'atom'; text: string; glued: boolean; folded: boolean }
  | { type: 'quoted'; text: string; raw: string; glued: boolean; folded: boolean }
  | { type: 'comment'; text: string }
  /** `<…>`; `closed` is false where the `>` is missing. */
  | { type: 'angle'; text: string; closed: boolean }
  | { type: ',' | ';' | ':' }

const isBlank = (char: string | undefined): boolean => char === ' ' || char === '\t' || char === '\r' || char === '\n'

const encodedWord = /=\?[^?\s]{1,130}\?[QqBb]\?[^?]*\?=/y
const plain = /[^\s,;:<>()"[\]\\=]+/y
const literal = /\[[^[\]\s,;<>]{0,255}\]/y

/** Offsets at which each comment that begins in `text` ends; one that never does is missing. */
const commentEnds = (text: string): Map<number, number> => {
  const ends = new Map<number, number>()
  const open: number[] = []
  for (let at = text.indexOf('('); at >= 0 && at < text.length; at++) {
    const char = text[at]
    if (char === '\\') at++
    else if (char === '(') open.push(at)
    else if (char === ')') {
      const start = open.pop()
      if (start !== undefined) ends.set(start, at)
    }
  }
  return ends
}

export const tokenizeAddresses = (text: string): Token[] => {
  const tokens: Token[] = []
  const comments = text.includes('(') ? commentEnds(text) : null
  const nextQuote = nextIndexOf(text, '"')
  const nextBracket = nextIndexOf(text, '>')
  let noMoreQuotes = false
  let glued = false
  let folded = false
  let at = 0

  /** The end of the quoted string that begins at `from`, -1 where it is never closed. */
  const quoteEnd = (from: number): number => {
    if (noMoreQuotes) return -1
    for (let index = from + 1; index < text.length; index++) {
      if (text[index] === '\\') index++
      else if (text[index] === '"') return index
    }
    noMoreQuotes = true
    return -1
  }

  const atom = (value: string): void => {
    tokens.push({ type: 'atom', text: value, glued, folded })
    at += value.length
    glued = true
    folded = false
  }

  /** `<` up to its `>`; without one, up to what begins the next address. */
  const angle = (): void => {
    while (text[at + 1] === '<' || text[at + 1] === ' ') at++
    const start = at + 1
    const isRoute = text[start] === '@'
    let end = start
    let closed = false
    for (; end < text.length; end++) {
      const char = text[end]
      if (char === '>') closed = true
      if (char === '>' || char === '<' || (!isRoute && (char === ',' || char === ';'))) break
      if (char === '"') {
        const close = nextQuote(end + 1)
        if (close < nextBracket(end + 1)) end = close
      }
    }
    tokens.push({ type: 'angle', text: text.slice(start, end), closed })
    at = closed ? end + 1 : end
  }

  while (at < text.length) {
    const char = text[at] as string
    if (isBlank(char)) {
      folded ||= char === '\n'
      glued = false
      at++
      continue
    }
    if (char === ',' || char === ';' || char === ':') {
      tokens.push({ type: char })
      glued = false
      folded = false
      at++
      continue
    }
    if (char === '<') {
      angle()
      glued = false
      folded = false
      continue
    }
    if (char === '(') {
      const end = comments?.get(at)
      if (end !== undefined) {
        tokens.push({ type: 'comment', text: text.slice(at + 1, end).replace(/\\(.)/g, '$1') })
        glued = false
        at = end + 1
        continue
      }
    }
    if (char === '"') {
      const end = quoteEnd(at)
      if (end >= 0) {
        const raw = text.slice(at, end + 1)
        tokens.push({ type: 'quoted', text: raw.slice(1, -1).replace(/\\(.)/gs, '$1'), raw, glued, folded })
        at = end + 1
        glued = true
        folded = false
        continue
      }
    }
    const pattern = char === '=' ? encodedWord : char === '[' ? literal : plain
    pattern.lastIndex = at
    const word = pattern.exec(text)?.[0]
    if (word !== undefined) atom(word)
    else if (char === '>' || char === '"') at++
    else atom(char)
  }
  return tokens
}
