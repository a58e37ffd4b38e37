// `npm start`: the demo on embedded servers; with `--config F`, Posthorn on the servers of that file.
import process from 'node:process'

const args = process.argv.slice(2)
const hasConfig = args.some((arg) => arg === '--config' || arg.startsWith('--config='))
process.argv.splice(2, args.length, hasConfig ? 'run' : 'demo', ...args)
await import('../bin/posthorn.js')
