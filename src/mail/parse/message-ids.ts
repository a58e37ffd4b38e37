/** Message-IDs (RFC 5322 3.6.4, RFC 6532). Everywhere with their angle brackets, otherwise as written. */
import { decodeRaw, unfold } from './decode-words.ts'
import type { DefectLog } from './defects.ts'
import { nextIndexOf } from './next-index.ts'

/** All `<…>` of a value; where there are none, its words. */
const idsOf = (raw: string, defects: DefectLog): string[] => {
  const text = decodeRaw(unfold(raw), defects)
  const ids: string[] = []
  const nextOpen = nextIndexOf(text, '<')
  const nextClose = nextIndexOf(text, '>')
  for (let open = nextOpen(0); open < text.length;) {
    const close = nextClose(open)
    const next = nextOpen(open + 1)
    const end = Math.min(close, next, text.length)
    const id = end === close ? text.slice(open + 1, end) : text.slice(open + 1, end).trim()
    if (end !== close) defects.add('message id: without angle brackets; they were added')
    if (id.trim() !== '') ids.push(`<${id}>`)
    open = next
  }
  return ids
}

const bare = (raw: string, defects: DefectLog): string[] => {
  const words = decodeRaw(unfold(raw), defects)
    .split(/[\s,]+/)
    .map((word) => word.replace(/^[<>]+|[<>]+$/g, ''))
    .filter((word) => word !== '')
  if (words.length > 0) defects.add('message id: without angle brackets; they were added')
  return words.map((word) => `<${word}>`)
}

/** The Message-ID of the message; null where there is none. */
export const parseMessageId = (raw: string | null, defects: DefectLog): string | null => {
  if (raw === null) return null
  // Odd, with brackets within, but one word: as written.
  const odd = /^<[^<>\s][^\s]*[<>][^\s]*[^<>\s]>$/.exec(unfold(raw))?.[0]
  if (odd !== undefined && !odd.includes('><')) return decodeRaw(odd, defects)
  const [id] = idsOf(raw, defects)
  if (id !== undefined) return id
  const text = decodeRaw(unfold(raw), defects).replace(/^[<>]+|[<>]+$/g, '')
  if (text === '') return null
  defects.add('message id: without angle brackets; they were added')
  return `<${text}>`
}

/** In-Reply-To: its ids, joined by a space where there are several; null where it holds none (RFC 5322 4.5.4). */
export const parseInReplyTo = (raw: string | null, defects: DefectLog): string | null => {
  if (raw === null) return null
  const ids = idsOf(raw, defects)
  if (ids.length > 0) return ids.join(' ')
  const words = unfold(raw).split(/\s+/)
  return words.length === 1 && words[0] !== '' ? (bare(raw, defects)[0] ?? null) : null
}

/** References: at most `max` of them, the latest of a longer list. */
export const parseReferences = (raws: string[], max: number, defects: DefectLog): string[] => {
  const ids = raws.flatMap((raw) => (raw.includes('<') ? idsOf(raw, defects) : bare(raw, defects)))
  if (ids.length <= max) return ids
  defects.add('references: more than the bound; the rest was left out')
  return ids.slice(-max)
}
