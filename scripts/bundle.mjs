// Joins dist/cli/main.js and what it imports into a few files under dist/program/, which the `posthorn` command runs: Node
// takes half a second of processor time to find and read a thousand small modules, and a tenth of it to read these. What is
// loaded on demand stays in files of its own. Run after tsc.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
// As deep below the root as the folders under dist/: modules find schemas/ and package.json by their own place.
const folder = join(root, 'dist/program')

rmSync(folder, { recursive: true, force: true })
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: ['dist/cli/main.js'],
  outdir: folder,
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  // Some of kafkajs is replaced by its path, and that must be the only copy; the others find files of theirs beside them.
  external: ['kafkajs', 'pino', '@bokuweb/zstd-wasm'],
  // Packages in CommonJS ask for Node's own modules by `require`.
  banner: {
    js: `import { createRequire as requireFrom } from 'node:module'\nconst require = requireFrom(import.meta.url)`,
  },
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
})

/** The folder of the package that a file belongs to; null: it is Posthorn's. */
const packageOf = (path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? null

const packages = new Set(Object.keys(metafile.inputs).map(packageOf).filter(Boolean))
const notices = [...packages].sort().map((path) => {
  const { name, version, license } = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8'))
  const file = readdirSync(join(root, path)).find((entry) => /^(?:licen[cs]e|copying)/i.test(entry))
  const text =
    file === undefined || !existsSync(join(root, path, file)) ? '' : readFileSync(join(root, path, file), 'utf8')
  return `${name} ${version} (${license})\n\n${text.trim()}\n`
})
writeFileSync(join(folder, 'THIRD-PARTY.txt'), notices.join(`\n${'-'.repeat(78)}\n\n`))
