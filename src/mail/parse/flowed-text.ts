/**
 * format=flowed (RFC 3676): joins the lines that the sender broke softly, so that the text reads as it was typed.
 *
 * A line that ends in a space continues in the next one of the same quote depth; `-- ` alone is a signature
 * separator; the one space that stuffing put in front of a line is removed. Takes text with `\n` line breaks in
 * chunks; the last line break is not yielded.
 */
const maxQuoteDepth = 1000

export class FlowedText {
  readonly #deleteSpace: boolean
  /** Of the paragraph: its quote depth and its first characters, enough to know a signature separator. */
  #depth = -1
  #head = ''
  /** A space at the end of what was read of the paragraph, not yet yielded. */
  #space = false
  /** A line break that is yielded with the next line, if there is one. */
  #break = false
  /** Of the line being read: its quote depth, and whether its content has begun. */
  #lineDepth = 0
  #inContent = false
  #quoteSpace = ''

  constructor(deleteSpace: boolean) {
    this.#deleteSpace = deleteSpace
  }

  write(text: string): string {
    let output = ''
    for (let at = 0; at < text.length;) {
      const lineFeed = text.indexOf('\n', at)
      const end = lineFeed < 0 ? text.length : lineFeed
      output += this.#line(text.slice(at, end))
      if (lineFeed >= 0) output += this.#endLine()
      at = end + 1
    }
    return output
  }

  end(): string {
    if (this.#inContent || this.#lineDepth > 0) return this.#begin() + (this.#space ? ' ' : '')
    const soft = this.#space && this.#lineDepth === this.#depth && this.#head !== '-- '
    return this.#space && !(soft && this.#deleteSpace) ? ' ' : ''
  }

  /** More of the line; never empty lines, they have no content. */
  #line(text: string): string {
    let at = 0
    if (!this.#inContent) {
      while (text[at] === '>' && this.#lineDepth < maxQuoteDepth) {
        this.#lineDepth++
        at++
      }
      if (at === text.length) return ''
      if (text[at] === ' ') {
        at++
        this.#quoteSpace = this.#lineDepth > 0 ? ' ' : ''
      }
    }
    let output = this.#begin()
    const content = text.slice(at)
    if (content === '') return output
    if (this.#space) output += ' '
    this.#space = content.endsWith(' ')
    if (this.#head.length < 4) this.#head = (this.#head + content).slice(0, 4)
    return output + (this.#space ? content.slice(0, -1) : content)
  }

  /** Decides, where the content of a line begins, whether it continues the paragraph. */
  #begin(): string {
    if (this.#inContent) return ''
    this.#inContent = true
    let output = ''
    if (this.#space && this.#lineDepth === this.#depth && this.#head !== '-- ') {
      if (this.#deleteSpace) this.#space = false
    } else {
      if (this.#space) output += ' '
      if (this.#break) output += '\n'
      output += '>'.repeat(this.#lineDepth) + this.#quoteSpace
      this.#space = false
      this.#head = ''
      this.#depth = this.#lineDepth
    }
    this.#break = false
    return output
  }

  #endLine(): string {
    const output = this.#begin()
    this.#break = true
    this.#inContent = false
    this.#lineDepth = 0
    this.#quoteSpace = ''
    return output
  }
}
