/** The attachment store on S3 and what speaks like it. */

import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'

import { GetObjectCommand } from '@aws-sdk/client-s3'

import type { StorageConfig } from '../config/config.ts'
import { PosthornError, type Stage } from '../errors.ts'
import type { AttachmentStore, ObjectReference } from './attachment-store.ts'
import { classifyStorageError } from './classify-storage-error.ts'
import { PartBuffers } from './part-buffers.ts'
import { readObject } from './read-object.ts'
import { createS3Client } from './s3-client.ts'
import { createS3Putter, type PutSettings } from './s3-put.ts'
import { createS3Writer } from './s3-writer.ts'
import { uploadStream } from './upload-stream.ts'

export interface S3StoreOptions extends PutSettings {
  /** Bytes of a part of a multipart upload; two are in memory at once. S3 wants at least 5 MiB. */
  readonly partBytes: number
}

/** Two uploads at once use them again. */
const keptBuffers = 4

const defaults: S3StoreOptions = {
  partBytes: 5 * 1024 * 1024,
  connectTimeoutMs: 5000,
  stallMs: 30_000,
  attempts: 4,
  now: Date.now,
  random: Math.random,
}

/** Servers may resolve `..` in a path before they look which bucket it names. */
const isClimbing = (key: string): boolean => key.split('/').some((part) => part === '.' || part === '..')

export const createS3AttachmentStore = (
  config: StorageConfig,
  options: Partial<S3StoreOptions> = {},
): AttachmentStore => {
  const settings = { ...defaults, ...options }
  const reading = createS3Client(config, settings, 'read')
  const writing = createS3Client(config, settings, 'write')
  const putter = createS3Putter(writing, config, settings)
  const buffers = new PartBuffers(settings.partBytes, keptBuffers)
  const writer = createS3Writer(writing, putter, config.bucket, config.connections)

  const open = async (reference: ObjectReference, stage: Stage): Promise<Readable> => {
    const { bucket, key, versionId } = reference
    const classify = (error: unknown): PosthornError =>
      classifyStorageError(error, { name: 'get', isRead: true, bucket, stage })
    const input = { Bucket: bucket, Key: key, ...(versionId !== null && { VersionId: versionId }) }
    const response = await reading.send(new GetObjectCommand(input)).catch((error: unknown) => {
      throw classify(error)
    })
    const body = response.Body
    if (!(body instanceof Readable)) throw classify(new Error('an answer without a body'))
    return readObject(body, reference, {
      stallMs: settings.stallMs,
      classify,
      mismatch: (what) =>
        new PosthornError(
          'STORAGE_OBJECT_CHANGED',
          `storage: an object in bucket ${bucket} has another ${what} than promised`,
          {
            stage,
            action: 'The object was replaced after the reference was made, or the reference is wrong.',
          },
        ),
    })
  }

  return {
    put: async ({ content, sha256, ...head }) => {
      const versionId = await writer.put(head, content, sha256)
      return { bucket: config.bucket, key: head.key, versionId, size: content.length, sha256 }
    },

    putStream: async ({ content, ...head }) => {
      const uploaded = await uploadStream(content, writer.upload(head), buffers)
      return { bucket: config.bucket, key: head.key, ...uploaded }
    },

    open: async (reference) => {
      const { bucket, key } = reference
      if (!config.readableBuckets.includes(bucket)) {
        throw new PosthornError(
          'STORAGE_BUCKET_NOT_ALLOWED',
          `storage: bucket ${JSON.stringify(bucket)} may not be read`,
          {
            stage: 'compose',
            action: 'Name it in storage.readableBuckets if requests may attach objects from it.',
          },
        )
      }
      if (key === '' || isClimbing(key)) {
        throw new PosthornError('STORAGE_BUCKET_NOT_ALLOWED', 'storage: a key with a part . or .. may not be read', {
          stage: 'compose',
        })
      }
      return open(reference, 'compose')
    },

    check: async () => {
      const key = [config.prefix, `posthorn-probe-${randomUUID()}`].filter((part) => part !== '').join('/')
      const content = Buffer.from('posthorn')
      const head = { key, contentType: 'text/plain', fileName: null }
      const versionId = await writer.put(head, content, writer.hash(content))
      try {
        const probe = { bucket: config.bucket, key, versionId, size: content.length, sha256: writer.hash(content) }
        await buffer(await open(probe, 'store'))
      } finally {
        await writer.remove(key, versionId)
      }
    },

    close: () => {
      putter.close()
      reading.destroy()
      writing.destroy()
    },
  }
}
