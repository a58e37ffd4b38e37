/** Text for a terminal or a program, of whatever mail and records hold (pure). */

/** C1 controls, line and paragraph separators and bidirectional overrides: JSON leaves them raw, a terminal obeys them. */
const unsafeInJson = /[\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g
const unsafeInText = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

const toJsonValue = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (Array.isArray(value)) return value.map(toJsonValue)
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, toJsonValue(member)]))
}

/** One line of JSON; bytes as base64; characters that could steer a terminal are escaped. */
export const toJsonLine = (value: unknown): string =>
  JSON.stringify(toJsonValue(value)).replaceAll(
    unsafeInJson,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

/** Free text without what could steer a terminal; line feeds stay. */
export const toSafeText = (text: string): string => text.replaceAll(unsafeInText, '\uFFFD')

/** Columns padded to their widest cell, two spaces between them; one line a row. */
export const toTable = (rows: readonly (readonly string[])[]): string => {
  const cells = rows.map((row) => row.map((cell) => toSafeText(cell).replaceAll('\n', ' ')))
  const widths: number[] = []
  for (const row of cells) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length)
  }
  return cells
    .map((row) =>
      row
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('')
}
