/** Requests that write: whole objects, and the steps of a multipart upload. Every failure is a `PosthornError`. */

import { createHash } from 'node:crypto'

import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  ListMultipartUploadsCommand,
  type S3Client,
} from '@aws-sdk/client-s3'

import type { ObjectHead } from './attachment-store.ts'
import { classifyStorageError } from './classify-storage-error.ts'
import { contentDisposition, safeContentType } from './object-headers.ts'
import type { S3Putter } from './s3-put.ts'
import { takeTurns } from './take-turns.ts'
import type { UploadPort } from './upload-stream.ts'

export interface S3Writer {
  /** @returns The version, null where the bucket keeps none. */
  put(head: ObjectHead, content: Buffer, sha256: string): Promise<string | null>
  upload(head: ObjectHead): UploadPort
  remove(key: string, versionId: string | null): Promise<void>
  /** Lower-case hex SHA-256. */
  hash(content: Buffer): string
}

/** A bucket whose versioning is suspended answers the word. */
const versionOf = (response: { VersionId?: string | undefined }): string | null =>
  response.VersionId === undefined || response.VersionId === 'null' ? null : response.VersionId

const sha256Of = (content: Buffer): string => createHash('sha256').update(content).digest('hex')

const headersOf = (head: ObjectHead) => ({
  ContentType: safeContentType(head.contentType),
  ContentDisposition: contentDisposition(head.fileName),
})

/** The same, as they travel. */
const wireHeadersOf = (head: ObjectHead) => {
  const { ContentType, ContentDisposition } = headersOf(head)
  return { 'content-type': ContentType, 'content-disposition': ContentDisposition }
}

/** @param connections Most requests at once; an upload that waits for its source holds none. */
export const createS3Writer = (client: S3Client, putter: S3Putter, bucket: string, connections: number): S3Writer => {
  const inTurn = takeTurns(connections)

  const classify = (name: string) => (error: unknown) =>
    classifyStorageError(error, { name, isRead: false, bucket, stage: 'store' })

  const attempt = async <T>(name: string, request: () => Promise<T>): Promise<T> =>
    inTurn(request).catch((error: unknown) => {
      throw classify(name)(error)
    })

  const put: S3Writer['put'] = async (head, content, sha256) => {
    const headers = { ...wireHeadersOf(head), 'x-amz-meta-sha256': sha256 }
    const request = { key: head.key, query: {}, headers, content, sha256 }
    const { versionId } = await inTurn(() => putter.put(request, classify('put')))
    return versionOf({ VersionId: versionId ?? undefined })
  }

  const remove: S3Writer['remove'] = async (key, versionId) => {
    const input = { Bucket: bucket, Key: key, ...(versionId !== null && { VersionId: versionId }) }
    await attempt('delete', () => client.send(new DeleteObjectCommand(input)))
  }

  const upload = (head: ObjectHead): UploadPort => {
    const target = { Bucket: bucket, Key: head.key }

    const abort = async (uploadId: string): Promise<void> => {
      await attempt('abort', () => client.send(new AbortMultipartUploadCommand({ ...target, UploadId: uploadId })))
    }

    const abortLeftOvers = async (): Promise<void> => {
      const command = new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: head.key })
      const listed = await attempt('list uploads', () => client.send(command))
      for (const { Key, UploadId } of listed.Uploads ?? []) {
        if (Key === head.key && UploadId !== undefined) await abort(UploadId)
      }
    }

    return {
      putWhole: (content, sha256) => put(head, content, sha256),
      abort,

      begin: async () => {
        // Not every server lists uploads, and a lifecycle rule may do it as well.
        await abortLeftOvers().catch(() => undefined)
        const input = { ...target, ...headersOf(head) }
        const { UploadId } = await attempt('begin upload', () => client.send(new CreateMultipartUploadCommand(input)))
        return UploadId ?? ''
      },

      putPart: async (uploadId, number, content) => {
        const query = { partNumber: String(number), uploadId }
        const request = { key: head.key, query, headers: {}, content, sha256: sha256Of(content) }
        const { etag } = await inTurn(() => putter.put(request, classify('put part')))
        return etag ?? ''
      },

      complete: async (uploadId, tags) => {
        const parts = tags.map((ETag, index) => ({ ETag, PartNumber: index + 1 }))
        const input = { ...target, UploadId: uploadId, MultipartUpload: { Parts: parts } }
        return versionOf(await attempt('complete upload', () => client.send(new CompleteMultipartUploadCommand(input))))
      },

      label: async (versionId, sha256) => {
        const source = `${bucket}/${head.key.split('/').map(encodeURIComponent).join('/')}`
        const CopySource = versionId === null ? source : `${source}?versionId=${encodeURIComponent(versionId)}`
        const input = { ...target, ...headersOf(head), CopySource, MetadataDirective: 'REPLACE' as const }
        const copied = await attempt('copy', () =>
          client.send(new CopyObjectCommand({ ...input, Metadata: { sha256 } })),
        )
        // The version without the hash was never named to anyone.
        if (versionId !== null) await remove(head.key, versionId).catch(() => undefined)
        return versionOf(copied)
      },
    }
  }

  return { put, upload, remove, hash: sha256Of }
}
