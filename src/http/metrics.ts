/**
 * Counters and gauges in memory, and their text for Prometheus (exposition format 0.0.4).
 *
 * Labels are bounded: every value is of the configuration or of a closed list. Nothing of a mail or a record gets here.
 */

export interface Family<Label extends string = string> {
  type: 'counter' | 'gauge'
  help: string
  labels: readonly Label[]
}

/** One change of one series. */
export type Change<Families extends Record<string, Family>> = {
  [Name in keyof Families & string]: {
    name: Name
    labels: Readonly<Record<Families[Name]['labels'][number], string>>
  } & ({ add: number } | { set: number })
}[keyof Families & string]

const escapeHelp = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
const escapeLabel = (text: string): string => escapeHelp(text).replaceAll('"', '\\"')

/** `{account="a",status="DELIVERED"}`: also what tells the series of a family apart. */
const formatLabels = (names: readonly string[], values: Readonly<Record<string, string>>): string =>
  names.length === 0 ? '' : `{${names.map((name) => `${name}="${escapeLabel(values[name] ?? '')}"`).join(',')}}`

export class Metrics<Families extends Record<string, Family>> {
  readonly #families: Families
  readonly #series = new Map<string, Map<string, number>>()

  constructor(families: Families) {
    this.#families = families
    for (const [name, { labels }] of Object.entries(families)) {
      // A counter without labels is known from the start; Prometheus can't see an increase from nothing.
      this.#series.set(name, new Map(labels.length === 0 ? [['', 0]] : []))
    }
  }

  apply(changes: readonly Change<Families>[]): void {
    for (const change of changes) {
      const series = this.#series.get(change.name)
      const key = formatLabels(this.#families[change.name]?.labels ?? [], change.labels)
      series?.set(key, 'set' in change ? change.set : (series.get(key) ?? 0) + change.add)
    }
  }

  /** The text of every family, in the order in which they were named. */
  render(): string {
    return Object.entries(this.#families)
      .map(([name, { type, help }]) => {
        const lines = [...(this.#series.get(name) ?? [])].map(([labels, value]) => `${name}${labels} ${value}\n`)
        return `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n${lines.join('')}`
      })
      .join('')
  }
}
