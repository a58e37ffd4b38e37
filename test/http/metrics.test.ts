import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import type { PosthornEvent } from '../../src/events.ts'
import { countEvent, eventFamilies } from '../../src/http/count-events.ts'
import { Metrics, type Family } from '../../src/http/metrics.ts'
import { processFamilies } from '../../src/http/process-metrics.ts'

const count = (events: readonly PosthornEvent[]): string[] => {
  const metrics = new Metrics(eventFamilies)
  const context = { isAccount: (name: string) => name === 'support', now: () => 1_500 }
  for (const event of events) metrics.apply(countEvent(event, context))
  return (
    metrics
      .render()
      .split('\n')
      // Without labels a counter is there from the start.
      .filter((line) => line !== '' && !line.startsWith('#') && !/^\w+ 0$/.test(line))
  )
}

describe('metrics', () => {
  it('add up for each set of labels, and gauges show the last', () => {
    const delivered = { type: 'MailSettled', account: 'support', status: 'DELIVERED', attempt: 1, code: null } as const
    const joined = { type: 'GroupJoined', role: 'send' } as const
    const synced = { type: 'FolderSynced', account: 'support', folder: 'INBOX', lastUid: 9 } as const
    const lines = count([
      { ...joined, partitions: [0, 1, 2, 3] },
      { ...joined, partitions: [2, 3] },
      { ...delivered, id: 'a' },
      { ...delivered, id: 'b' },
      { ...delivered, id: 'c', status: 'REJECTED', code: 'SMTP_REJECTED' },
      { ...synced, published: 3 },
      { ...synced, published: 0 },
      { type: 'DeliveriesAbandoned', partition: 3, deliveries: 2 },
    ])
    assert.deepEqual(lines, [
      'posthorn_owned_partitions{role="send"} 2',
      'posthorn_group_joins_total{role="send"} 2',
      'posthorn_send_results_total{account="support",status="DELIVERED",code=""} 2',
      'posthorn_send_results_total{account="support",status="REJECTED",code="SMTP_REJECTED"} 1',
      'posthorn_deliveries_abandoned_total 2',
      'posthorn_messages_received_total{account="support",folder="INBOX"} 3',
      'posthorn_folder_last_synced_seconds{account="support",folder="INBOX"} 1.5',
    ])
  })

  it('give one label to all accounts that only records name, whatever they write', () => {
    const events = Array.from({ length: 1_000 }, (_, index): PosthornEvent[] => {
      const account = `made up ${index}\n"`
      return [
        {
          type: 'MailSettled',
          account,
          id: `${index}`,
          status: 'REJECTED',
          attempt: 0,
          code: 'REQUEST_ACCOUNT_UNKNOWN',
        },
        { type: 'CommandSettled', account, id: `${index}`, action: 'MOVE', status: 'REJECTED', changed: 0 },
      ]
    })
    assert.deepEqual(count(events.flat()), [
      'posthorn_send_results_total{account="unknown",status="REJECTED",code="REQUEST_ACCOUNT_UNKNOWN"} 1000',
      'posthorn_commands_total{account="unknown",action="MOVE",status="REJECTED"} 1000',
    ])
  })

  it('are all in docs/monitoring.md, as they are', () => {
    const text = readFileSync(new URL('../../docs/monitoring.md', import.meta.url), 'utf8')
    const rows = text.split('\n').filter((line) => /^\| `\w+` \| (counter|gauge) \|/.test(line))
    const families: Record<string, Family> = { ...processFamilies, ...eventFamilies }
    const expected = Object.entries(families).map(([name, { type, labels, help }]) => {
      const cells = [`\`${name}\``, type, labels.map((label) => `\`${label}\``).join(', '), help]
      return `| ${cells.join(' | ')} |`.replace('|  |', '| |')
    })
    assert.deepEqual(rows, expected)
  })

  it('escape what a folder may be called', () => {
    const trouble = {
      account: 'support',
      folder: 'a"b\\c',
      code: 'IMAP_UNREACHABLE',
      message: 'm',
      retryInMs: 1,
    } as const
    assert.deepEqual(count([{ type: 'FolderTrouble', ...trouble }]), [
      'posthorn_folder_troubles_total{account="support",folder="a\\"b\\\\c",code="IMAP_UNREACHABLE"} 1',
    ])
  })
})
