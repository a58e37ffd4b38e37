/** Makes kafkajs, which has gzip only, read and write every codec that Kafka knows. */
import kafkajs from 'kafkajs'
import type { KafkaConfig } from '../../config/config.ts'
import { compressLz4, decompressLz4 } from './lz4-frame.ts'
import { compressSnappy, decompressSnappy } from './snappy.ts'
import { compressZstd, decompressZstd } from './zstd.ts'

const { None, GZIP, Snappy, LZ4, ZSTD } = kafkajs.CompressionTypes

export const compressionTypes = {
  none: None,
  gzip: GZIP,
  snappy: Snappy,
  lz4: LZ4,
  zstd: ZSTD,
} as const satisfies Record<KafkaConfig['compression'], unknown>

interface Codec {
  compress(content: Buffer): Buffer | Promise<Buffer>
  decompress(input: Buffer): Buffer
}

/** As kafkajs wants one: it hands over its encoder, which has the bytes. */
const toKafkajs =
  ({ compress, decompress }: Codec) =>
  () => ({
    compress: async ({ buffer }: { buffer: Buffer }) => compress(buffer),
    decompress: async (input: Buffer) => decompress(input),
  })

/** Its table of codecs is one for the whole process; to fill it twice does nothing. */
export const registerCodecs = (): void => {
  kafkajs.CompressionCodecs[Snappy] = toKafkajs({ compress: compressSnappy, decompress: decompressSnappy })
  kafkajs.CompressionCodecs[LZ4] = toKafkajs({ compress: compressLz4, decompress: decompressLz4 })
  kafkajs.CompressionCodecs[ZSTD] = toKafkajs({ compress: compressZstd, decompress: decompressZstd })
}
