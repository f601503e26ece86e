import { posix } from 'node:path'
import { Readable } from 'node:stream'
import { pack } from 'tar-stream'
import type { Engine } from './engine.ts'
import { readingBody } from './engine.ts'

export interface FileIn {
  path: string
  contents: Buffer
}

/**
 * Writes files of root's into a container, running or not; folders that are missing are made. A path cannot lead out of
 * the container: the engine unpacks inside it. Source: Docker Engine API reference, "Extract an archive of files or
 * folders to a directory in a container".
 */
export async function putFiles(
  engine: Engine,
  id: string,
  files: readonly FileIn[],
  signal: AbortSignal,
): Promise<void> {
  const archive = pack()
  for (const { path, contents } of files) {
    archive.entry({ name: posix.normalize(`/${path}`).slice(1), mode: 0o644, uid: 0, gid: 0 }, contents)
  }
  archive.finalize()
  const { body } = await engine.call('PUT', `/containers/${encodeURIComponent(id)}/archive`, {
    query: { path: '/' },
    body: Readable.from(archive),
    signal,
  })
  await readingBody(() => body.dump(), signal, engine.socketPath)
}
