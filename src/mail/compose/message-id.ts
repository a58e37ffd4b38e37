import { hash } from 'node:crypto'

/** RFC 5322 3.6.4 in its everyday form: printable ASCII, one `@`, angle brackets. */
const messageIdPattern = /^<[!-;=?A-~]+@[!-;=?A-~]+>$/
const longest = 250

export const isMessageId = (text: string): boolean => text.length <= longest && messageIdPattern.test(text)

/** What a reply may name: received mail has ids without an `@`, and they are to be given back as they came. */
export const isForeignMessageId = (text: string): boolean => /^<[!-;=?-~]+>$/.test(text) && text.length <= 900

/**
 * The Message-ID of a request (pure): the same at every attempt, by every worker, so that a repeat can be recognised,
 * and another one for every other request. Nothing can be read from it.
 *
 * @param domain of the From address, in ASCII
 */
export const deriveMessageId = (account: string, requestId: string, domain: string): string => {
  const digest = hash('sha256', JSON.stringify([account, requestId]), 'hex')
  return `<${digest.slice(0, 40)}@${domain.toLowerCase()}>`
}
