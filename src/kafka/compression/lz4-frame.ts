/**
 * The LZ4 frame format, as Kafka has it since its record batches of version 2 (KIP-57): written with independent blocks of
 * 64 KB and without checksums of the content, as the Java client writes and wants them; read in every form of the
 * format but those with a dictionary (pure).
 */
import { compressBlock, decompressBlock, maxBlockBytes } from './lz4-block.ts'
import { xxhash32 } from './xxhash32.ts'

const magic = 0x184d_2204
const version = 0x40
const independentBlocks = 0x20
const blockChecksums = 0x10
const contentSize = 0x08
const contentChecksum = 0x04
const dictionary = 0x01
/** Of the second byte of the descriptor; 4 stands for 64 KB, each further one for four times as much. */
const smallestBlockCode = 4
const smallestBlockBytes = 65_536
/** In a block's length: it is stored as it is. */
const stored = 0x8000_0000

const headerChecksum = (descriptor: Buffer): number => (xxhash32(descriptor) >>> 8) & 0xff

export const compressLz4 = (content: Buffer): Buffer => {
  const blocks = Math.ceil(content.length / smallestBlockBytes)
  const output = Buffer.allocUnsafe(11 + blocks * (4 + maxBlockBytes(smallestBlockBytes)))
  let at = output.writeUInt32LE(magic, 0)
  at = output.writeUInt8(version | independentBlocks, at)
  at = output.writeUInt8(smallestBlockCode << 4, at)
  at = output.writeUInt8(headerChecksum(output.subarray(4, at)), at)
  for (let start = 0; start < content.length; start += smallestBlockBytes) {
    const block = content.subarray(start, start + smallestBlockBytes)
    const length = compressBlock(block, output.subarray(at + 4))
    if (length < block.length) {
      at = output.writeUInt32LE(length, at) + length
    } else {
      at = output.writeUInt32LE((stored | block.length) >>> 0, at)
      at += block.copy(output, at)
    }
  }
  return output.subarray(0, output.writeUInt32LE(0, at))
}

const corrupt = (what: string): Error => new Error(`the LZ4 frame is corrupt: ${what}`)

/** Grows as blocks come; a block may refer to what the ones before it held. */
class Content {
  #bytes = Buffer.allocUnsafe(4 * smallestBlockBytes)
  #length = 0

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  append(block: Buffer, isStored: boolean, mostBytes: number): void {
    const needed = this.#length + mostBytes
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2))
      this.#bytes.copy(larger, 0, 0, this.#length)
      this.#bytes = larger
    }
    if (!isStored) this.#length = decompressBlock(block, this.#bytes, this.#length)
    else if (block.length > mostBytes) throw corrupt('a block is larger than the frame says')
    else this.#length += block.copy(this.#bytes, this.#length)
  }
}

class FrameReader {
  readonly #input: Buffer
  #at = 0

  constructor(input: Buffer) {
    this.#input = input
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#input.length
  }

  #take(length: number): Buffer {
    const end = this.#at + length
    if (end > this.#input.length) throw corrupt('it ends too soon')
    const bytes = this.#input.subarray(this.#at, end)
    this.#at = end
    return bytes
  }

  #word(): number {
    return this.#take(4).readUInt32LE()
  }

  read(): Buffer {
    if (this.#word() !== magic) throw corrupt('it does not begin with the magic number')
    const descriptorAt = this.#at
    const [flags = 0, sizes = 0] = this.#take(2)
    if ((flags & 0xc0) !== version) throw corrupt('its version is unknown')
    if ((flags & dictionary) !== 0) throw corrupt('it needs a dictionary')
    const code = (sizes >> 4) & 7
    if (code < smallestBlockCode) throw corrupt('its size of blocks is unknown')
    if ((flags & contentSize) !== 0) this.#take(8)
    const checksum = headerChecksum(this.#input.subarray(descriptorAt, this.#at))
    if (this.#take(1)[0] !== checksum) throw corrupt('the checksum of its header is wrong')
    const content = new Content()
    const mostBytes = smallestBlockBytes * 4 ** (code - smallestBlockCode)
    for (let length = this.#word(); length !== 0; length = this.#word()) {
      const block = this.#take((length & ~stored) >>> 0)
      if ((flags & blockChecksums) !== 0 && this.#word() !== xxhash32(block)) {
        throw corrupt('the checksum of a block is wrong')
      }
      content.append(block, (length & stored) !== 0, mostBytes)
    }
    const { bytes } = content
    if ((flags & contentChecksum) !== 0 && this.#word() !== xxhash32(bytes)) {
      throw corrupt('the checksum of its content is wrong')
    }
    return bytes
  }
}

/** Several frames after one another are one content. @throws Error */
export const decompressLz4 = (input: Buffer): Buffer => {
  const reader = new FrameReader(input)
  const contents = [reader.read()]
  while (!reader.isAtEnd) contents.push(reader.read())
  const [only = Buffer.alloc(0)] = contents
  return contents.length === 1 ? only : Buffer.concat(contents)
}
