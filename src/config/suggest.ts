/** "Did you mean": the known word closest to a mistyped one. Pure. */

/** Levenshtein distance, one row at a time. */
const distance = (left: string, right: string): number => {
  let previous = Array.from({ length: right.length + 1 }, (_, column) => column)
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row]
    for (let column = 1; column <= right.length; column += 1) {
      const substituted = (previous[column - 1] ?? 0) + (left[row - 1] === right[column - 1] ? 0 : 1)
      current.push(Math.min(substituted, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1))
    }
    previous = current
  }
  return previous[right.length] ?? 0
}

const bare = (word: string): string => word.toLowerCase().replaceAll(/[-_ ]/g, '')

/** The closest of `known`, case and separators aside, if at most a third of the word is wrong; else null. */
export const suggest = (word: string, known: readonly string[]): string | null => {
  const wanted = bare(word)
  if (wanted.length > 64) return null
  let best: string | null = null
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1
  for (const candidate of known) {
    const candidateDistance = distance(wanted, bare(candidate))
    if (candidateDistance < bestDistance) {
      best = candidate
      bestDistance = candidateDistance
    }
  }
  return best
}
