/** The folders of an account that are listened to. Pure. */

import type { MessageSelector } from '../mail/match-message.ts'
import type { AccountSource } from './account-schema.ts'
import type { Report } from './check-shape.ts'
import type { AfterReadConfig, ReceiveRule, StartConfig } from './config.ts'
import type { KeyPath } from './problems.ts'

type ReceiveSource = AccountSource['receive'][number]

const compileSelect = (source: ReceiveSource['select'], at: KeyPath, report: Report): MessageSelector => {
  const select: MessageSelector = {
    subject: source.subject ?? null,
    from: source.from ?? null,
    to: source.to ?? null,
    unread: source.unread ?? null,
    sinceMs: source.since ?? null,
    beforeMs: source.before ?? null,
    largerThanBytes: source.larger ?? null,
    smallerThanBytes: source.smaller ?? null,
    hasAttachment: source.hasAttachment ?? null,
    keyword: source.keyword ?? null,
  }
  if (select.sinceMs !== null && select.beforeMs !== null && select.sinceMs >= select.beforeMs) {
    report([...at, 'before'], 'must be later than since, or nothing is ever selected')
  }
  if (
    select.largerThanBytes !== null &&
    select.smallerThanBytes !== null &&
    select.smallerThanBytes - select.largerThanBytes < 2
  ) {
    report([...at, 'smaller'], 'must be greater than larger, or nothing is ever selected')
  }
  return select
}

const compileStart = (start: ReceiveSource['start']): StartConfig =>
  typeof start === 'number' ? { at: 'date', sinceMs: start } : { at: start }

const compileAfter = (after: ReceiveSource['after']): AfterReadConfig =>
  typeof after === 'string' ? { action: after } : { action: 'move', folder: after.move }

/** INBOX is the one name whose case does not matter (RFC 3501 5.1). */
const folderIdentity = (folder: string): string => (folder.toUpperCase() === 'INBOX' ? 'INBOX' : folder)

/** Mail that is moved round in a circle between folders which are all listened to would be published for ever. */
const reportCircles = (rules: readonly ReceiveRule[], at: KeyPath, report: Report): void => {
  const next = new Map<string, string>()
  for (const { folder, after } of rules) {
    if (after.action === 'move') next.set(folderIdentity(folder), folderIdentity(after.folder))
  }
  for (const [index, { folder }] of rules.entries()) {
    const first = folderIdentity(folder)
    const visited = new Set([first])
    let current = next.get(first)
    while (current !== undefined && !visited.has(current)) {
      visited.add(current)
      current = next.get(current)
    }
    if (current !== first) continue
    const rule =
      visited.size === 1
        ? 'must be another folder than the one that is listened to'
        : 'leads back to this folder through the other rules: each message would be published for ever'
    report([...at, index, 'after', 'move'], rule)
  }
}

export const compileReceive = (sources: readonly ReceiveSource[], at: KeyPath, report: Report): ReceiveRule[] => {
  const seen = new Set<string>()
  const rules = sources.map((source, index): ReceiveRule => {
    const identity = folderIdentity(source.folder)
    if (seen.has(identity)) report([...at, index, 'folder'], 'has a rule already; one for each folder')
    seen.add(identity)
    return {
      folder: source.folder,
      start: compileStart(source.start),
      select: compileSelect(source.select, [...at, index, 'select'], report),
      after: compileAfter(source.after),
      idle: source.idle,
      pollMs: source.poll,
      keepRaw: source.keepRaw,
      uidValidityChanged: source.uidValidityChanged,
    }
  })
  reportCircles(rules, at, report)
  return rules
}
