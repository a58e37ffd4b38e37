/** What the documents of this repository say, taken apart (pure but for reading them). */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../', import.meta.url))

export interface Document {
  /** Relative to the root of the repository. */
  path: string
  text: string
}

export interface CodeBlock {
  language: string
  code: string
}

export const readDocument = (path: string): Document => ({ path, text: readFileSync(`${root}${path}`, 'utf8') })

export const documents = (): Document[] => {
  const inDocs = readdirSync(`${root}docs`, { recursive: true }).map((path) => `docs/${path.toString()}`)
  return [...readdirSync(root), ...inDocs]
    .filter((path) => path.endsWith('.md'))
    .sort()
    .map(readDocument)
}

const fence = /^```(\w*)\n([\s\S]*?)^```$/gm

export const codeBlocks = ({ text }: Document): CodeBlock[] =>
  [...text.matchAll(fence)].map(([, language = '', code = '']) => ({ language, code }))

/** Targets of links, without those of code. */
export const links = ({ text }: Document): string[] =>
  [...text.replaceAll(fence, '').matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target)

/** As GitHub makes them of headings. */
export const anchors = ({ text }: Document): Set<string> =>
  new Set(
    [...text.replaceAll(fence, '').matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )

/** Command lines: lines of shell blocks and code within a sentence that begin with `posthorn`, with or without `npx`. */
export const commandLines = (document: Document): string[] => {
  const inBlocks = codeBlocks(document)
    .filter(({ language }) => language === 'sh')
    .flatMap(({ code }) => code.split('\n'))
    .flatMap((line) => line.split(' | '))
  const inSentences = [...document.text.replaceAll(fence, '').matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code)
  return [...inBlocks, ...inSentences]
    .map((line) => line.replace(/^npx /, ''))
    .filter((line) => /^posthorn [a-z]/.test(line))
}
