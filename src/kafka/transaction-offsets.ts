import { setTimeout as delay } from 'node:timers/promises'
import type { Transaction } from 'kafkajs'

type Offsets = Parameters<Transaction['sendOffsets']>[0]

const concurrentTransactionsPauseMs = 4
const attempts = 100

/** AddOffsetsToTxn is outside kafkajs's own retries: CONCURRENT_TRANSACTIONS is tried again in the same transaction. */
export const sendOffsets = async (transaction: Transaction, offsets: Offsets): Promise<void> => {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await transaction.sendOffsets(offsets)
      return
    } catch (error) {
      const type = (error as { type?: unknown }).type
      if (type !== 'CONCURRENT_TRANSACTIONS' || attempt === attempts) throw error
      await delay(concurrentTransactionsPauseMs)
    }
  }
}
