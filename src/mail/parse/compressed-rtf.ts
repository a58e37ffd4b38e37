/** Compressed RTF (MS-OXRTFCP), in which Outlook keeps the body of a message. Pure. */

/** MS-OXRTFCP 2.1.2.1: what the dictionary holds before the first byte. */
const initialDictionary =
  '{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS Sans SerifSymbol' +
  'ArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx'

const compressed = 0x75465a4c
const uncompressed = 0x414c454d
const dictionaryBytes = 4096

/** @returns what could be read, at most `maxBytes`; null for what is no compressed RTF */
export const decompressRtf = (bytes: Buffer, maxBytes: number): Buffer | null => {
  if (bytes.length < 16) return null
  const kind = bytes.readUInt32LE(8)
  const size = Math.min(bytes.readUInt32LE(4), maxBytes)
  if (kind === uncompressed) return bytes.subarray(16, 16 + size)
  if (kind !== compressed) return null
  const dictionary = Buffer.alloc(dictionaryBytes)
  let write = dictionary.write(initialDictionary, 'latin1')
  // A run that is cut off or lies about its size ends sooner.
  const output = Buffer.alloc(Math.min(size, bytes.length * 17))
  let length = 0
  const put = (byte: number): void => {
    output[length++] = byte
    dictionary[write] = byte
    write = (write + 1) % dictionaryBytes
  }
  let at = 16
  while (at < bytes.length && length < output.length) {
    const control = bytes[at++] as number
    for (let bit = 0; bit < 8 && at < bytes.length && length < output.length; bit++) {
      if ((control & (1 << bit)) === 0) {
        put(bytes[at++] as number)
        continue
      }
      const reference = ((bytes[at] as number) << 8) | (bytes[at + 1] ?? 0)
      at += 2
      const offset = reference >> 4
      if (offset === write) return output.subarray(0, length)
      const count = Math.min(output.length - length, (reference & 0xf) + 2)
      for (let copied = 0; copied < count; copied++) put(dictionary[(offset + copied) % dictionaryBytes] as number)
    }
  }
  return output.subarray(0, length)
}
