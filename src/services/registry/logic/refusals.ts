import { CloudError } from '../../../platform/errors.ts'

/** Source: OCI distribution specification 1.1, "Error Codes". */
export const refusals = {
  nameInvalid: (name: string) =>
    new CloudError('notFound', `invalid repository name: ${name}`, { type: 'NAME_INVALID' }),
  nameUnknown: () => new CloudError('notFound', 'repository name not known to registry', { type: 'NAME_UNKNOWN' }),
  manifestUnknown: (reference: string) =>
    new CloudError('notFound', `manifest unknown: ${reference}`, { type: 'MANIFEST_UNKNOWN' }),
  manifestInvalid: (why: string) =>
    new CloudError('badRequest', `manifest invalid: ${why}`, { type: 'MANIFEST_INVALID' }),
  manifestBlobUnknown: (digests: readonly string[]) =>
    new CloudError('notFound', `manifest references what the repository does not have: ${digests.join(', ')}`, {
      type: 'MANIFEST_BLOB_UNKNOWN',
    }),
  blobUnknown: () => new CloudError('notFound', 'blob unknown to registry', { type: 'BLOB_UNKNOWN' }),
  uploadUnknown: () => new CloudError('notFound', 'blob upload unknown to registry', { type: 'BLOB_UPLOAD_UNKNOWN' }),
  uploadInvalid: (why: string) =>
    new CloudError('badRequest', `blob upload invalid: ${why}`, { type: 'BLOB_UPLOAD_INVALID' }),
  sizeInvalid: (why: string) => new CloudError('badRequest', why, { type: 'SIZE_INVALID' }),
  digestInvalid: (why: string) => new CloudError('badRequest', `invalid digest: ${why}`, { type: 'DIGEST_INVALID' }),
  readOnly: () => new CloudError('notAllowed', 'the registry is read-only at present', { type: 'UNSUPPORTED' }),
  denied: () => new CloudError('forbidden', 'requested access to the resource is denied', { type: 'DENIED' }),
  tooLarge: (most: number) =>
    new CloudError('tooLarge', `larger than the ${most} bytes allowed`, { type: 'SIZE_INVALID' }),
}

/** The chunk does not begin where the last one ended: 416, with what is there. */
export class OutOfOrder extends CloudError {
  readonly size: number
  constructor(size: number) {
    super('badRequest', `the next chunk begins at ${size}`, { type: 'BLOB_UPLOAD_INVALID' })
    this.size = size
  }
}
