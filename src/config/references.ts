/**
 * `${NAME}` and `${file:PATH}` in values, `$${` for a literal `${`. Pure.
 *
 * References are hidden before the YAML is read and filled in afterwards. So they can stand bare anywhere, also inside
 * `{ flow: ${NAME} }`, where YAML itself would take the braces for structure; and what they are replaced by never
 * becomes structure, whatever it holds.
 *
 * Hiding shifts every character of a reference that could mean something to YAML into 128 private-use code points
 * that the text does not use. It keeps the length, so that lines and columns stay right.
 */

const referencePattern = /\$\{[^{}"'\r\n]*\}/g

export interface HiddenText {
  readonly text: string
  /** First of the private-use code points. */
  readonly base: number
}

/** Null when the text uses so many private-use characters that there is no room left to hide references. */
export const hideReferences = (text: string): HiddenText | null => {
  for (let base = 0xe0_00; base + 0x80 <= 0xf9_00; base += 0x80) {
    const taken = new RegExp(`[${String.fromCharCode(base)}-${String.fromCharCode(base + 0x7f)}]`)
    if (taken.test(text)) continue
    const hide = (character: string): string => String.fromCharCode(base + character.charCodeAt(0))
    return {
      text: text.replaceAll(referencePattern, (found) => `$${found.slice(1).replaceAll(/[\0-\x7f]/g, hide)}`),
      base,
    }
  }
  return null
}

/** The text as it was written. */
export const showReferences = (text: string, base: number): string => {
  const hidden = new RegExp(`[${String.fromCharCode(base)}-${String.fromCharCode(base + 0x7f)}]`, 'g')
  return text.replaceAll(hidden, (character) => String.fromCharCode(character.charCodeAt(0) - base))
}

/** A piece of a value: text to be taken as it is, or what a reference names. */
export type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'malformed' }

const asPiece = (inner: string): Piece => {
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(inner)) return { kind: 'variable', name: inner }
  const path = /^file:(.+)$/.exec(inner)?.[1]?.trim() ?? ''
  return path === '' ? { kind: 'malformed' } : { kind: 'file', path }
}

/** Text around references: there a `$${` is a literal `${` and a bare one was never closed. */
const plainPieces = (text: string): Piece[] => {
  if (text === '') return []
  const [first = '', ...literals] = text.split('$${')
  const parts = [first, ...literals]
  return parts.some((part) => part.includes('${'))
    ? [{ kind: 'malformed' }]
    : [{ kind: 'text', text: parts.join('${') }]
}

/** Splits a value that YAML has read, its references still hidden. */
export const splitReferences = (hidden: string, base: number): Piece[] => {
  const open = String.fromCharCode(base + '{'.charCodeAt(0))
  const close = String.fromCharCode(base + '}'.charCodeAt(0))
  const pieces: Piece[] = []
  let rest = hidden
  for (;;) {
    const start = rest.indexOf(`$${open}`)
    const end = rest.indexOf(close, start)
    if (start === -1 || end === -1) return [...pieces, ...plainPieces(rest)]
    const isEscaped = start > 0 && rest[start - 1] === '$'
    const inner = showReferences(rest.slice(start + 2, end), base)
    pieces.push(...plainPieces(rest.slice(0, isEscaped ? start - 1 : start)))
    pieces.push(isEscaped ? { kind: 'text', text: `\${${inner}}` } : asPiece(inner))
    rest = rest.slice(end + 1)
  }
}
