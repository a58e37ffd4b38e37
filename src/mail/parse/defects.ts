/**
 * The closed vocabulary of what can be wrong with a message and how it was read: `<what>: <how it was read>`. It never
 * holds mail content, so it can be logged and counted. `docs/mail.md` lists it; a test keeps the two equal.
 */
export const defectList = [
  'line breaks: carriage returns alone; each was read as a line break',
  // header blocks
  'header: a line that is no field was left out',
  'header: no empty line before the body; the body was taken to begin at the first line that is no field',
  'header: space before the colon was ignored',
  'header: a field name with blanks in it was kept as written',
  'header: longer than the bound; the rest was left out',
  'header: more fields than the bound; the rest was left out',
  'header value: longer than the bound; it was cut',
  'header value: 8-bit bytes without an encoding; read as UTF-8',
  'header value: 8-bit bytes without an encoding; read as windows-1252',
  'header value: the same field again; the first was used',
  'encoded word: broken; left as written',
  'encoded word: unknown charset; read as UTF-8 or windows-1252',
  'encoded word: raw 8-bit bytes inside; read in its charset',
  'encoded word: in a parameter, where none may be; decoded',
  // fields
  'date: unreadable; left empty',
  'date: no time zone or an unknown one; read as UTC',
  'date: obsolete or unusual form; read',
  'message id: without angle brackets; they were added',
  'references: more than the bound; the rest was left out',
  'address list: malformed; its addresses were recovered',
  'address list: an entry without an address was left out',
  'address list: more addresses than the bound; the rest was left out',
  'parameter: malformed; read as far as it was clear',
  'parameter: longer than the bound; it was cut',
  'parameter: unknown charset; read as UTF-8 or windows-1252',
  // structure
  'content type: malformed; read as text/plain where it may be text, else as it is',
  'content transfer encoding: unknown; content taken as it is',
  'multipart: no boundary parameter; its content was left out',
  'multipart: no part found; its content was left out',
  'multipart: closing boundary missing; the part ends where the message or the outer part ends',
  'multipart: nested deeper than the bound; kept whole as an attachment',
  'parts: more than the bound; the rest was kept undecoded as one attachment',
  // content
  'base64: characters outside the alphabet were ignored',
  'base64: incomplete at the end; the whole bytes were kept',
  'base64: text after the end was left out',
  'quoted-printable: broken escapes were left as written',
  'uuencode: no begin or no end; read as far as it goes',
  'charset: none declared; read as UTF-8',
  'charset: none declared; read as windows-1252',
  'charset: unknown; read as UTF-8 or windows-1252',
  'charset: bytes that are not valid in it; replaced',
  'tnef: larger than the bound; its files were not taken out',
  'tnef: damaged; the files that could be read were taken out',
  'tnef: the body of the message is in it; it was read',
  // reports
  'report: its machine-readable part could not be read',
] as const

export type Defect = (typeof defectList)[number]

/** With these, something of the mail is in no field of what was read. */
const lossy: ReadonlySet<string> = new Set<Defect>([
  'header: a line that is no field was left out',
  'header: longer than the bound; the rest was left out',
  'header: more fields than the bound; the rest was left out',
  'header value: longer than the bound; it was cut',
  'references: more than the bound; the rest was left out',
  'address list: more addresses than the bound; the rest was left out',
  'parameter: longer than the bound; it was cut',
  'multipart: no boundary parameter; its content was left out',
  'multipart: no part found; its content was left out',
  'base64: text after the end was left out',
  'charset: bytes that are not valid in it; replaced',
])

/** Whether only the raw bytes of a mail with these defects hold all of it. */
export const isLossy = (defects: readonly string[]): boolean => defects.some((defect) => lossy.has(defect))

/** Collects each defect once. */
export class DefectLog {
  readonly #seen = new Set<Defect>()

  add(defect: Defect): void {
    this.#seen.add(defect)
  }

  /** In the order of the vocabulary, so that the chunks in which a message arrived don't show. */
  list(): string[] {
    return this.#seen.size === 0 ? [] : defectList.filter((defect) => this.#seen.has(defect))
  }
}
