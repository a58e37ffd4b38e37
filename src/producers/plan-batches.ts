export interface BatchBounds {
  maxMessages: number
  maxBytes: number
}

/** What is held in memory at once; a larger message is streamed. */
export const batchBounds: BatchBounds = { maxMessages: 100, maxBytes: 8 * 1_048_576 }

/**
 * Cuts messages (ascending by UID) into batches (pure). A batch keeps within both bounds; a message above the bytes
 * has a batch of its own, since it is streamed instead of held in memory.
 */
export const planBatches = <T extends { size: number }>(
  messages: readonly T[],
  { maxMessages, maxBytes }: BatchBounds,
): T[][] => {
  const batches: T[][] = []
  let open: T[] = []
  let bytes = 0
  for (const message of messages) {
    if (open.length > 0 && (open.length >= maxMessages || bytes + message.size > maxBytes)) {
      batches.push(open)
      open = []
      bytes = 0
    }
    open.push(message)
    bytes += message.size
  }
  if (open.length > 0) batches.push(open)
  return batches
}
