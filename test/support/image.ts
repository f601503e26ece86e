import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import type { InjectOptions } from 'fastify'
import { pack } from 'tar-stream'
import { type Context, systemContext } from '../../src/platform/auth/context.ts'
import type { BlobStore } from '../../src/platform/blobs/blobs.ts'
import type { Config } from '../../src/platform/config.ts'
import type { Database } from '../../src/platform/db/database.ts'
import { CloudError } from '../../src/platform/errors.ts'
import { identityMigrations, limitStore } from '../../src/services/identity/index.ts'
import { createImage, type ImageService, imageMigrations } from '../../src/services/image/index.ts'
import { createRegistry, type RegistryService, registryMigrations } from '../../src/services/registry/index.ts'
import type { Open } from './databases.ts'
import { type TestClock, testGround } from './ground.ts'

export interface Answer {
  status: number
  headers: Record<string, unknown>
  text: string
  /** The body, parsed; meaningless when it is no JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests read what they expect
  body: any
}

export interface ImageCloud {
  image: ImageService
  registry: RegistryService
  database: Database
  blobs: BlobStore
  stateDir: string
  clock: TestClock
  /** `admin` and `reader` are roles in project `ops` and `alpha`; other names are members of the project of that name. */
  as(
    who: string,
  ): (method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', url: string, more?: Sent) => Promise<Answer>
  contextOf(who: string): Context
  /** Creates an image and sends its data; answers its id. Fails the test when either is refused. */
  upload(who: string, attributes: object, data: Buffer | Readable): Promise<string>
  /** Every file in the blob store. */
  files(): Promise<string[]>
}

export interface Sent {
  json?: unknown
  bytes?: Buffer | Readable
  headers?: Record<string, string>
}

/** Image and Registry on a ground of the test's own, as they start; nothing listens yet. */
export async function startImage(
  t: TestContext,
  options: { config?: Partial<Config>; open?: Open; openBlobs?: (stateDir: string) => Promise<BlobStore> } = {},
): Promise<ImageCloud> {
  const { openBlobs, ...rest } = options
  const found = await testGround(t, [identityMigrations, registryMigrations, imageMigrations], rest)
  const { stateDir } = found.config
  const ground = openBlobs ? { ...found, blobs: await openBlobs(stateDir) } : found
  const { blobs, database } = ground
  const identity = testIdentity((token) => (token ? contextOf(token) : null))
  const registry = await createRegistry(ground, identity)
  const image = createImage(ground, identity, registry)
  await registry.start?.()
  await image.start?.()
  t.after(async () => {
    await image.app?.close()
    await registry.app?.close()
  })
  const as: ImageCloud['as'] =
    (who) =>
    async (method, url, sent = {}) => {
      const type = sent.json !== undefined ? 'application/json' : sent.bytes ? 'application/octet-stream' : undefined
      const options: InjectOptions = {
        method,
        url,
        headers: { 'x-auth-token': who, ...(type ? { 'content-type': type } : {}), ...sent.headers },
      }
      const payload = sent.json !== undefined ? JSON.stringify(sent.json) : sent.bytes
      if (payload !== undefined) options.payload = payload
      const reply = await image.app!.inject(options)
      const text = reply.body
      const isJson = String(reply.headers['content-type']).includes('json')
      return { status: reply.statusCode, headers: reply.headers, text, body: isJson ? JSON.parse(text) : undefined }
    }
  return {
    image,
    registry,
    database,
    blobs,
    stateDir,
    clock: ground.clock,
    contextOf,
    as,
    files: async () => (await Array.fromAsync(blobs.list())).map(({ key }) => key),
    upload: (who, attributes, data) => uploadAs(as(who), attributes, data),
  }
}

/** Identity as far as these two services ask it; every project is there, and called as its id. */
export function testIdentity(authenticate: (token: string) => Context | null) {
  const refuse = async (): Promise<never> => {
    throw new CloudError('unauthorized', 'Nobody logs in here.')
  }
  const projectOf = (id: string) => ({
    ...{ id, name: id, domainId: 'default', parentId: 'default', isDomain: false, enabled: true, description: '' },
    ...{ tags: [], options: {}, extra: {} },
  })
  return {
    authenticate,
    limits: limitStore('RegionOne'),
    logIn: refuse,
    reissue: refuse,
    projects: {
      find: async (_db: unknown, id: string) => projectOf(id),
      exists: async () => true,
      named: async (_db: unknown, name: string) => [projectOf(name)],
    },
  }
}

/** Through the API, as anyone uploads. */
export async function uploadAs(
  call: ReturnType<ImageCloud['as']>,
  attributes: object,
  data: Buffer | Readable,
): Promise<string> {
  const made = await call('POST', '/v2/images', { json: attributes })
  assert.equal(made.status, 201, made.text)
  const { id } = made.body
  const sent = await call('PUT', `/v2/images/${id}/file`, { bytes: data })
  assert.equal(sent.status, 204, sent.text)
  return id
}

function contextOf(who: string): Context {
  const projectId = who === 'admin' ? 'ops' : who === 'reader' ? 'alpha' : who
  const roles = who === 'admin' ? ['admin', 'member', 'reader'] : who === 'reader' ? ['reader'] : ['member', 'reader']
  return {
    ...systemContext('req-test', { id: projectId, domainId: 'default' }),
    userId: `user-${who}`,
    roles,
    isAdmin: who === 'admin',
    token: who,
  }
}

/** A tar of one file, as a layer. */
export async function layerOf(name: string, content: Buffer | string): Promise<Buffer> {
  const tar = pack()
  tar.entry({ name, mode: 0o755, mtime: new Date(0) }, content) // the same layer whenever it is made
  tar.finalize()
  return buffer(tar)
}

/** What `docker save` writes of an image of these layers. */
export async function savedArchive(layers: readonly Buffer[], more: object = {}): Promise<Buffer> {
  const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
  const diffIds = layers.map((layer) => `sha256:${sha256(layer)}`)
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      config: { Cmd: ['/bin/busybox', 'true'] },
      rootfs: { type: 'layers', diff_ids: diffIds },
      ...more,
    }),
  )
  const names = layers.map((layer) => `${sha256(layer)}/layer.tar`)
  const tar = pack()
  tar.entry({ name: `${sha256(config)}.json` }, config)
  for (const [i, layer] of layers.entries()) tar.entry({ name: names[i] ?? '' }, layer)
  const manifest = [{ Config: `${sha256(config)}.json`, RepoTags: ['someone/elses:name'], Layers: names }]
  tar.entry({ name: 'manifest.json' }, JSON.stringify(manifest))
  tar.finalize()
  return buffer(tar)
}
