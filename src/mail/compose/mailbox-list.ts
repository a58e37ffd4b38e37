/**
 * Addresses as a request writes them (pure): RFC 5322 mailboxes, several of them separated by `,` or `;`.
 *
 * Strict, unlike the reader of received mail: what could be read in two ways is refused and not guessed, because a guess
 * would send the mail to somebody. Taken besides RFC 5322: UTF-8 in names and addresses (RFC 6531, 6532), names with
 * unquoted dots, encoded words in names. Not taken: groups, whose `:` and `;` a list separated by `;` can't hold.
 */
import { domainToASCII } from 'node:url'

import { DefectLog } from '../parse/defects.ts'
import { decodeWords } from '../parse/decode-words.ts'
import type { Mailbox } from './outgoing-message.ts'

/** Thrown inside this module only. */
class Unreadable extends Error {}

const fail = (rule: string): never => {
  throw new Unreadable(rule)
}

/** @returns the mailboxes, or the rule that the text breaks */
export const readMailboxes = (text: string): Mailbox[] | string => {
  try {
    if (/\p{Cc}/u.test(text.replaceAll('\t', ' '))) fail('must not have control characters or line breaks')
    return splitList(text).map(readMailbox)
  } catch (error) {
    if (error instanceof Unreadable) return error.message
    throw error
  }
}

/** At separators outside quotes, angle brackets and comments. Empty entries are left out. */
const splitList = (text: string): string[] => {
  const entries: string[] = []
  let entry = ''
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? ''
    if (char === '"') {
      const end = quoteEnd(text, at)
      entry += text.slice(at, end + 1)
      at = end
    } else if (char === '(') {
      at = commentEnd(text, at)
      entry += ' '
    } else if (char === '<') {
      const end = angleEnd(text, at)
      entry += text.slice(at, end + 1)
      at = end
    } else if (char === ',' || char === ';') {
      entries.push(entry)
      entry = ''
    } else {
      entry += char
    }
  }
  return [...entries, entry].map((each) => each.trim()).filter((each) => each !== '')
}

const quoteEnd = (text: string, start: number): number => {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '"') return at
  }
  return fail('has a quote that is not closed')
}

const commentEnd = (text: string, start: number): number => {
  let depth = 0
  for (let at = start; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '(') depth++
    else if (text[at] === ')' && --depth === 0) return at
  }
  return fail('has a comment that is not closed')
}

const angleEnd = (text: string, start: number): number => {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '"') at = quoteEnd(text, at)
    else if (text[at] === '<') break
    else if (text[at] === '>') return at
  }
  return fail('has a < that is not closed')
}

const readMailbox = (entry: string): Mailbox => {
  const open = angleStart(entry)
  if (open < 0) return { name: null, ...readAddress(entry) }
  if (!entry.endsWith('>')) fail('has text behind the > of an address')
  const address = readAddress(entry.slice(open + 1, -1).trim())
  return { name: readName(entry.slice(0, open).trim(), address.address), ...address }
}

const angleStart = (entry: string): number => {
  for (let at = 0; at < entry.length; at++) {
    if (entry[at] === '"') at = quoteEnd(entry, at)
    else if (entry[at] === '<') return at
  }
  return -1
}

const readName = (written: string, address: string): string | null => {
  let name = ''
  for (let at = 0; at < written.length; at++) {
    const char = written[at] ?? ''
    if (char === '"') {
      const end = quoteEnd(written, at)
      name += written.slice(at + 1, end).replace(/\\(.)/gs, '$1')
      at = end
    } else if (/[[\]\\:>]/.test(char)) {
      fail('has a name with one of [ ] \\ : > outside quotes')
    } else {
      name += char
    }
  }
  // `a@x.com <b@x.com>` may be a list that lacks a comma.
  if (!written.includes('"') && written.includes('@') && written !== address) fail('has a name with @ outside quotes')
  const decoded = /^[ -~]*=\?[ -~]*$/.test(name) ? decodeWords(name, new DefectLog()) : name
  if (/\p{Cc}/u.test(decoded.replaceAll('\t', ' '))) fail('must not have control characters or line breaks')
  const clean = decoded.replace(/\s+/g, ' ').trim()
  if (clean.length > 500) fail('has a name of more than 500 characters')
  return clean === '' ? null : clean
}

const atext = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~\\-\\u{80}-\\u{10ffff}]+"
const dotAtom = new RegExp(`^${atext}(?:\\.${atext})*$`, 'u')
const quotedLocal = /^"(?:[^"\\<>]|\\[ -;=?-~])*"$/
const label = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/
const addressLiteral = /^\[(?:IPv6:[0-9A-Fa-f:.]{2,45}|\d{1,3}(?:\.\d{1,3}){3})\]$/

/** RFC 5321 4.1.2, RFC 6531 3.3. */
const readAddress = (written: string): Pick<Mailbox, 'address' | 'path'> => {
  // A domain has no @, a quoted local part may.
  const at = written.lastIndexOf('@')
  if (at < 1 || at === written.length - 1) fail('must have addresses of the form local@domain')
  const local = written.slice(0, at).trim()
  const domain = written.slice(at + 1).trim()
  if (!dotAtom.test(local) && !quotedLocal.test(local)) fail('has an address whose part before @ is malformed')
  // No blanks, and nothing that can't be seen, such as a direction override.
  if (/[\p{Z}\p{C}]/u.test(local.startsWith('"') ? local.replaceAll(' ', '') : local)) {
    fail('has an address whose part before @ has characters that are not allowed')
  }
  const path = `${local}@${asciiDomain(domain)}`
  // RFC 5321 4.5.3.1: octets.
  if (Buffer.byteLength(local) > 64) fail('has an address with more than 64 octets before @')
  if (Buffer.byteLength(path) > 254) fail('has an address of more than 254 octets')
  return { address: `${local}@${domain}`, path }
}

const asciiDomain = (domain: string): string => {
  if (addressLiteral.test(domain)) return domain
  const ascii = /^[!-~]+$/.test(domain) ? domain : domainToASCII(domain)
  const labels = ascii.split('.')
  if (ascii === '' || !labels.every((each) => label.test(each))) fail('has an address whose domain is malformed')
  return ascii
}

/** Whether the local part needs SMTPUTF8 (RFC 6531); a domain never does, it has A-labels. */
export const needsSmtpUtf8 = ({ path }: Pick<Mailbox, 'path'>): boolean => /[^\0-\x7f]/.test(path)

/** Equal for addresses that mean one mailbox: the domain in any case, the local part as it is (RFC 5321 2.4). */
export const mailboxKey = ({ path }: Pick<Mailbox, 'path'>): string => {
  const at = path.lastIndexOf('@')
  return path.slice(0, at) + path.slice(at).toLowerCase()
}
