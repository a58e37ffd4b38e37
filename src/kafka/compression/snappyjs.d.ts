declare module 'snappyjs' {
  const snappy: {
    compress(content: Buffer): Buffer
    /** @throws Error */
    uncompress(input: Buffer): Buffer
  }
  export default snappy
}
