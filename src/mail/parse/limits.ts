/**
 * The bounds within which one message is read. Beyond a bound the message still arrives: what is over it is cut or
 * left out, and a defect says so. With them, time is linear in the size of the message and memory is stated.
 */
export interface ParseLimits {
  /** UTF-8 bytes up to which a body is a string in the message; a larger one is handed over as bytes. */
  maxInlineBodyBytes: number
  /** Parts that are taken apart; what follows the last of them is kept, undecoded, as one attachment. */
  maxParts: number
  /** Levels of multipart that are opened; a deeper one is kept whole as an attachment. */
  maxNestingDepth: number
  /** Bytes that are read of the header of the message, and of each part. */
  maxHeaderBytes: number
  /** Header fields of the message that are listed. */
  maxHeaderFields: number
  /** Characters of one listed header value, and of one parameter such as a file name. */
  maxValueLength: number
  /** Addresses of all fields together. */
  maxAddresses: number
  /** Message-IDs of References. */
  maxReferences: number
  /** Bytes of a winmail.dat, which is read in memory, up to which its files are taken out. */
  maxTnefBytes: number
}

export const defaultParseLimits: ParseLimits = Object.freeze({
  maxInlineBodyBytes: 256 * 1024,
  maxParts: 10_000,
  maxNestingDepth: 1000,
  maxHeaderBytes: 1024 * 1024,
  maxHeaderFields: 2000,
  maxValueLength: 128 * 1024,
  maxAddresses: 10_000,
  maxReferences: 1000,
  maxTnefBytes: 16 * 1024 * 1024,
})
