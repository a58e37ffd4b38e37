/** Runs at most `limit` tasks at once, the others in the order in which they came. */
export const takeTurns = (limit: number): (<T>(task: () => Promise<T>) => Promise<T>) => {
  const waiting: (() => void)[] = []
  let running = 0
  return async (task) => {
    if (running < limit) running += 1
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await task()
    } finally {
      const next = waiting.shift()
      // A place that is handed on stays taken: nobody can slip in between.
      if (next === undefined) running -= 1
      else next()
    }
  }
}
