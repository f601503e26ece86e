import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { pack } from 'tar-stream'

const digestOf = (bytes: Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

export interface TestRegistry {
  /** `127.0.0.1:port/images/x@sha256:…` */
  reference: string
  configDigest: string
  /** Method and path of every request that brought the token. */
  readonly served: string[]
  /** Resolves when a blob is asked for; blobs wait for `release`. */
  holdBlobs(): { asked: Promise<void>; release(): void }
}

/** A registry of one image, a busybox: what an engine asks of it, no more. Source: OCI distribution spec 1.1, "Pull". */
export async function startRegistry(t: { after(f: () => void): void }, token: string): Promise<TestRegistry> {
  const archive = pack()
  archive.entry({ name: 'bin/busybox', mode: 0o755 }, await readFile('/bin/busybox'))
  for (const name of ['sh', 'sleep']) archive.entry({ name: `bin/${name}`, type: 'symlink', linkname: 'busybox' })
  archive.finalize()
  const tar = Buffer.concat(await Readable.from(archive).toArray())
  const layer = gzipSync(tar)
  const rootfs = { type: 'layers', diff_ids: [digestOf(tar)] }
  const config = Buffer.from(
    JSON.stringify({ architecture: 'amd64', os: 'linux', config: { Cmd: ['sh'] }, rootfs, history: [{}] }),
  )
  const type = (name: string) => `application/vnd.docker.${name}`
  const part = (mediaType: string, bytes: Buffer) => ({ mediaType, size: bytes.length, digest: digestOf(bytes) })
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: type('distribution.manifest.v2+json'),
      config: part(type('container.image.v1+json'), config),
      layers: [part(type('image.rootfs.diff.tar.gzip'), layer)],
    }),
  )
  const blobs = new Map([config, layer].map((bytes) => [digestOf(bytes), bytes]))
  const served: string[] = []
  let asked = () => {}
  let held = Promise.resolve()

  const server = createServer(async (request, response) => {
    const { method = '', url = '' } = request
    if (request.headers.authorization !== `Bearer ${token}`) {
      const realm = `Bearer realm="http://127.0.0.1/token",service="test"`
      response.writeHead(401, { 'www-authenticate': realm }).end()
      return
    }
    served.push(`${method} ${url}`)
    const digest = url.split('/').at(-1) ?? ''
    if (url === '/v2/') response.end('{}')
    else if (url.includes('/manifests/') && digest === digestOf(manifest))
      response
        .writeHead(200, {
          'content-type': type('distribution.manifest.v2+json'),
          'content-length': manifest.length,
          'docker-content-digest': digest,
        })
        .end(method === 'HEAD' ? undefined : manifest)
    else if (url.includes('/blobs/') && blobs.has(digest)) {
      asked()
      await held
      response.end(blobs.get(digest))
    } else response.writeHead(404).end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return {
    reference: `127.0.0.1:${(server.address() as AddressInfo).port}/images/x@${digestOf(manifest)}`,
    configDigest: digestOf(config),
    served,
    holdBlobs() {
      const first = Promise.withResolvers<void>()
      const release = Promise.withResolvers<void>()
      asked = first.resolve
      held = release.promise
      return { asked: first.promise, release: release.resolve }
    },
  }
}
