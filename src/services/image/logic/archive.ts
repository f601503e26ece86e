import type { BlobReader } from '../../../platform/blobs/blobs.ts'
import { Archive, type ArchiveIndex } from './archive-file.ts'
import { indexDockerArchive } from './docker-archive.ts'
import { indexOciArchive } from './oci-archive.ts'
import { bad } from './tar.ts'

export type { ArchiveBlob, ArchiveIndex } from './archive-file.ts'

/** `platform` in the words of image configurations. */
export interface Platform {
  os: string
  architecture: string
}

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' }

/** What containers on this machine are made of. */
export const thisPlatform: Platform = { os: 'linux', architecture: architectures[process.arch] ?? process.arch }

/**
 * Indexes a stored archive in place: `docker save` of any version, `podman save`, `skopeo copy … docker-archive:` or
 * `oci-archive:`. Every digest is computed from the bytes, none is believed; memory is bounded whatever its size.
 * Takes `file` over, and closes it. Where both layouts are present (Docker since 25), the OCI one counts: it has the manifest the image was made with.
 * Source: OCI image specification 1.1, "Image Layout"; Docker image specification 1.2, "Combined Image JSON + Filesystem".
 * @throws CloudError `badRequest` whose message names the cause.
 */
export async function indexArchive(
  file: BlobReader,
  platform: Platform = thisPlatform,
  signal?: AbortSignal,
): Promise<ArchiveIndex> {
  const archive = await Archive.open(file, signal)
  try {
    if (archive.has('index.json') && archive.has('oci-layout')) return await indexOciArchive(archive, platform)
    if (archive.has('manifest.json')) return await indexDockerArchive(archive)
    throw bad('is neither a Docker image (it has no manifest.json) nor an OCI layout (it has no index.json)')
  } finally {
    await archive.close()
  }
}
