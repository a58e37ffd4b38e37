/**
 * The body that RTF of Outlook holds: HTML where it was made of HTML (MS-OXRTFEX), else plain text. Pure, one pass. What RTF
 * can say besides, fonts and pictures, is left out.
 */
import { findCharset, guessCharset, wellFormed } from './charset.ts'

export interface RtfBody {
  kind: 'text' | 'html'
  body: string
}

/** Groups that hold no text. */
const silent = new Set([
  'fonttbl',
  'colortbl',
  'stylesheet',
  'info',
  'pict',
  'themedata',
  'colorschememapping',
  'generator',
])
const characters = new Map([
  ['par', '\n'],
  ['line', '\n'],
  ['tab', '\t'],
  ['lquote', '‘'],
  ['rquote', '’'],
  ['ldblquote', '“'],
  ['rdblquote', '”'],
  ['bullet', '•'],
  ['endash', '–'],
  ['emdash', '—'],
  ['~', '\xa0'],
  ['_', '‑'],
])

/** A control word with its number, a control symbol, a byte in hexadecimal, a bracket, or text. */
const token = /\\([a-z]{1,32})(-?\d{1,10})?[ ]?|\\'([0-9a-f]{2})|\\([^a-z'])|([{}])|[\r\n]+|([^\\{}\r\n]+)/giy

interface Group {
  /** Characters after `\u` that stand for readers without Unicode. */
  skip: number
  isSilent: boolean
  /** Within `\htmlrtf`: what is only for readers of RTF. */
  isForRtf: boolean
  isTag: boolean
}

const maxGroups = 1000

class RtfReader {
  #groups: Group[] = [{ skip: 1, isSilent: false, isForRtf: false, isTag: false }]
  #pieces: string[] = []
  /** Bytes in the code page that wait for more. */
  #bytes: number[] = []
  #codePage = ''
  #kind: 'text' | 'html' = 'text'
  #toSkip = 0
  /** The next control word begins a group that only some readers know. */
  #isOptional = false

  read(rtf: string): RtfBody {
    token.lastIndex = 0
    for (let match = token.exec(rtf); match !== null; match = token.exec(rtf)) {
      const [, word, number, hex, symbol, bracket, text] = match
      if (word !== undefined) this.#word(word.toLowerCase(), number)
      else if (hex !== undefined) this.#byte(parseInt(hex, 16))
      else if (symbol !== undefined) this.#symbol(symbol)
      else if (bracket !== undefined) {
        this.#bracket(bracket)
        if (bracket === '}' && this.#groups.length === 1) break
      } else if (text !== undefined) for (const char of text) this.#char(char)
    }
    this.#flush()
    return { kind: this.#kind, body: wellFormed(this.#pieces.join('')) }
  }

  get #group(): Group {
    return this.#groups.at(-1) as Group
  }

  #bracket(bracket: string): void {
    this.#flush()
    if (bracket === '{' && this.#groups.length < maxGroups) this.#groups.push({ ...this.#group })
    else if (bracket === '}' && this.#groups.length > 1) this.#groups.pop()
    this.#toSkip = 0
  }

  #word(word: string, number: string | undefined): void {
    const group = this.#group
    const isOptional = this.#isOptional
    this.#isOptional = false
    if (word === 'htmltag' && isOptional) {
      this.#flush()
      group.isTag = true
    } else if (isOptional || silent.has(word)) group.isSilent = true
    else if (word === 'fromhtml') this.#kind = 'html'
    else if (word === 'ansicpg') this.#codePage = `cp${number ?? ''}`
    else if (word === 'uc') group.skip = Math.min(10, Number(number ?? 1))
    else if (word === 'htmlrtf') group.isForRtf = number !== '0'
    else if (word === 'u' && number !== undefined) {
      this.#put(String.fromCharCode(Number(number) & 0xffff))
      this.#toSkip = group.skip
    } else {
      const char = characters.get(word)
      if (char !== undefined) this.#put(char)
    }
  }

  #symbol(symbol: string): void {
    if (symbol === '*') this.#isOptional = true
    else if (symbol === '\r' || symbol === '\n') this.#put('\n')
    else if (characters.has(symbol)) this.#put(characters.get(symbol) ?? '')
    else if ('{}\\'.includes(symbol)) this.#char(symbol)
  }

  #char(char: string): void {
    if (this.#toSkip > 0) this.#toSkip--
    else this.#byte(char.charCodeAt(0))
  }

  #byte(byte: number): void {
    if (this.#toSkip > 0) this.#toSkip--
    else if (this.#isSeen) this.#bytes.push(byte)
  }

  #put(text: string): void {
    this.#flush()
    if (this.#isSeen) this.#pieces.push(text)
  }

  /** In HTML, tags count as they are and text only outside of what is for readers of RTF. */
  get #isSeen(): boolean {
    const { isSilent, isForRtf, isTag } = this.#group
    if (isSilent) return false
    return this.#kind === 'text' || isTag || !isForRtf
  }

  #flush(): void {
    if (this.#bytes.length === 0) return
    const bytes = Buffer.from(this.#bytes)
    this.#bytes = []
    const charset = findCharset(this.#codePage)
    this.#pieces.push((charset === null || charset === 'undeclared' ? guessCharset(bytes) : charset).decode(bytes))
  }
}

/** @param rtf its bytes; null where they are no RTF */
export const readRtfBody = (rtf: Buffer): RtfBody | null => {
  const text = rtf.toString('latin1')
  return text.startsWith('{\\rtf') ? new RtfReader().read(text) : null
}
