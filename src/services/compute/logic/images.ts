import { CloudError } from '../../../platform/errors.ts'
import type { ServerImage } from '../db/servers.ts'
import type { BootableImage } from './deps.ts'

/** A container image, whichever way it was packed. */
const runnable = new Set(['docker', 'oci'])

/**
 * Whether a server of this flavor can be made from this image.
 * @throws CloudError with Nova's texts
 */
export function checkImage(image: BootableImage, flavor: { memoryMiB: number; diskGiB: number }): void {
  if (image.status !== 'active') throw new CloudError('badRequest', `Image ${image.id} is not active.`)
  if (!runnable.has(image.containerFormat ?? '')) {
    throw new CloudError(
      'badRequest',
      `Image ${image.id} is unacceptable: its container format is ${image.containerFormat}; servers here are containers and run images of the container formats docker and oci.`,
    )
  }
  if (image.reference === null || image.configDigest === null) {
    throw new CloudError(
      'badRequest',
      `Image ${image.id} is unacceptable: its content is neither what \`docker save\` writes nor an OCI archive.`,
    )
  }
  if (flavor.memoryMiB < image.minRamMiB) {
    throw new CloudError('badRequest', "Flavor's memory is too small for requested image.")
  }
  const gib = 1024 ** 3
  if (flavor.diskGiB > 0 && flavor.diskGiB < image.minDiskGiB) {
    throw new CloudError(
      'badRequest',
      `Flavor's disk is smaller than the minimum size specified in image metadata. Flavor disk is ${flavor.diskGiB * gib} bytes, minimum size is ${image.minDiskGiB * gib} bytes.`,
    )
  }
  if (flavor.diskGiB > 0 && image.sizeBytes !== null && image.sizeBytes > flavor.diskGiB * gib) {
    throw new CloudError(
      'badRequest',
      `Flavor's disk is too small for requested image. Flavor disk is ${flavor.diskGiB * gib} bytes, image is ${image.sizeBytes} bytes.`,
    )
  }
}

/** What the server keeps. @throws Error for an image that `checkImage` would have refused */
export function imageOf(image: BootableImage): ServerImage {
  const { reference, configDigest, repository } = image
  if (reference === null || configDigest === null) throw new Error('checkImage comes first')
  return {
    ...{ reference, configDigest, repository },
    containerFormat: image.containerFormat ?? 'docker',
    diskFormat: image.diskFormat ?? 'raw',
    minDiskGiB: image.minDiskGiB,
    minRamMiB: image.minRamMiB,
    properties: image.properties,
  }
}
