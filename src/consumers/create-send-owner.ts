export const createSendOwner = (_: unknown): never => { throw new Error('not yet') }
