/**
 * Zstandard: read by fzstd, which is JavaScript and takes frames of unknown size as the Java client writes them; written by
 * zstd itself as WebAssembly. Neither builds or downloads anything when it is installed. Node has its own from 22.15 on,
 * which is later than Posthorn asks for.
 */
import { decompress } from 'fzstd'

/** zstd's default. */
const level = 3

type Compress = (content: Buffer, level: number) => Uint8Array

/** Loaded when the first batch is to be written: few configurations ask for it. */
let loading: Promise<Compress> | null = null

const load = async (): Promise<Compress> => {
  const zstd = await import('@bokuweb/zstd-wasm')
  await zstd.init()
  return zstd.compress
}

const asBuffer = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer => Buffer.from(buffer, byteOffset, byteLength)

export const compressZstd = async (content: Buffer): Promise<Buffer> => {
  loading ??= load()
  return asBuffer((await loading)(content, level))
}

/** @throws Error */
export const decompressZstd = (input: Buffer): Buffer => asBuffer(decompress(input))
