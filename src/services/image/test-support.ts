import type { TestContext } from 'node:test'
import type { InjectOptions } from 'fastify'
import { openTestSqlite, temporaryDirectory } from '../../../test/support/databases.ts'
import { type Context, systemContext } from '../../platform/auth/context.ts'
import type { BlobStore } from '../../platform/blobs/blobs.ts'
import { openFileBlobs } from '../../platform/blobs/file-store.ts'
import { createLocalBus } from '../../platform/bus/local.ts'
import { systemClock } from '../../platform/clock.ts'
import type { Config } from '../../platform/config.ts'
import type { Database } from '../../platform/db/database.ts'
import { migrate } from '../../platform/db/migrate.ts'
import { newLogger } from '../../platform/log.ts'
import type { Ground } from '../../platform/service.ts'
import { createRegistry, type RegistryService, registryMigrations } from '../registry/index.ts'
import { createImage, type ImageService, imageMigrations } from './index.ts'

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
  /** `admin` and `reader` are roles in project `ops` and `alpha`; other names are members of the project of that name. */
  as(
    who: string,
  ): (method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', url: string, more?: Sent) => Promise<Answer>
  contextOf(who: string): Context
  /** Every file in the blob store. */
  files(): Promise<string[]>
}

export interface Sent {
  json?: unknown
  bytes?: Buffer
  headers?: Record<string, string>
}

/** Image and Registry on a database and a store of the test's own; `ports` (image, registry) opens them for real. */
export async function startImage(
  t: TestContext,
  { portBase, ...changes }: Partial<Config> & { open?: (t: TestContext) => Promise<Database> } = {},
): Promise<ImageCloud> {
  const database = await (changes.open ?? openTestSqlite)(t)
  await migrate(database, [registryMigrations, imageMigrations])
  const stateDir = await temporaryDirectory(t)
  const log = newLogger('silent')
  const blobs = await openFileBlobs(`${stateDir}/blobs`, log)
  const config = {
    stateDir,
    bind: '127.0.0.1',
    portBase: portBase ?? 0,
    publicHost: '',
    host: 'here',
    imageSizeMaxBytes: 0,
    ...changes,
  } as Config
  const ground: Ground = {
    config,
    cloudId: '00c0ffee',
    database,
    bus: createLocalBus(log),
    blobs,
    nudge: () => {},
    policyOverrides: {},
    log,
    clock: systemClock,
  }
  const registry = await createRegistry(ground)
  const image = createImage(ground, { authenticate: (token) => (token ? contextOf(token) : null) }, registry)
  await image.start?.()
  t.after(async () => {
    await image.app?.close()
    await registry.app?.close()
  })
  return {
    image,
    registry,
    database,
    blobs,
    stateDir,
    contextOf,
    files: async () => (await Array.fromAsync(blobs.list())).map(({ key }) => key),
    as:
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
      },
  }
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
