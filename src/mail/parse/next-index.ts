/**
 * Like `text.indexOf(char, from)` with Infinity for none. Asked with offsets that never go back it looks at each
 * character once, where `indexOf` would look to the end of the text again and again for what is not there.
 */
export const nextIndexOf = (text: string, char: string): ((from: number) => number) => {
  let next = -1
  return (from) => {
    if (next < from) next = text.indexOf(char, from)
    if (next < 0) next = Infinity
    return next
  }
}
