import type { Control } from '../control.ts'
import { type Config, localUrlOf, type ServiceName } from '../platform/config.ts'
import type { Database } from '../platform/db/database.ts'
import { isMarked, mark } from '../platform/db/marks.ts'
import { CloudError } from '../platform/errors.ts'
import { request } from '../platform/http/client.ts'
import { busyboxArchive } from './busybox.ts'
import { sshArchive } from './ssh-image.ts'

export interface SeedParts {
  config: Config
  control: Control
  database: Database
  secrets: { adminPassword: string; demoPassword: string }
  now: () => string
  progress: (step: string) => void
}

export const firstServerName = 'first'

/** Users, projects and roles: what the doors need to be opened. Once in a cloud's life, so nothing deleted comes back. */
export async function seedIdentity({ control, database, secrets, now, progress }: SeedParts): Promise<void> {
  if (await isMarked(database.read, 'seed.identity')) return
  await control.services.identity.seed(secrets)
  await database.write((trx) => mark(trx, 'seed.identity', now()))
  progress('identity: domain Default, projects admin, demo and service, users admin and demo')
}

/**
 * Networks, the busybox image and (unless told otherwise) a first server: what a person needs to try it. Through the
 * public APIs, as that person would; each step is looked for before it is made, so a start cut off goes on where it was.
 */
export async function seedDemo(parts: SeedParts): Promise<void> {
  const { config, control, database, now, progress } = parts
  if (await isMarked(database.read, 'seed.demo')) return
  const { identity, network } = control.services
  const { adminProjectId, demoProjectId, adminUserId } = await identity.seed(parts.secrets)
  await network.seed({ adminProjectId, demoProjectId, publicCidr: config.publicCidr })
  progress(`network: public (${config.publicCidr}), and private for admin and for demo`)

  const roles = ['admin', 'member', 'reader']
  const token = await identity.mintToken({ projectId: adminProjectId, userId: adminUserId, roles, ttlSeconds: 600 })
  const api = client(token, config)
  const imageId = await seedImage(api, 'busybox', busyboxArchive)
  progress("image: busybox, made from this machine's own")
  if (config.demo && config.roles === 'all') {
    await seedServer(api, imageId, adminProjectId)
    progress(`compute: server ${firstServerName} ordered`)
  }
  const ssh = await sshArchive()
  if (ssh) {
    await seedImage(api, 'ssh', () => Promise.resolve(ssh))
    progress("image: ssh, made from this machine's busybox and dropbear")
  }
  await database.write((trx) => mark(trx, 'seed.demo', now()))
}

type Method = 'GET' | 'POST' | 'PUT'
type Client = <T>(method: Method, service: ServiceName, path: string, body?: unknown) => Promise<T>

/** Not by the global `fetch`, which would load a second client. */
function client(token: string, config: Config): Client {
  return async <T>(method: Method, service: ServiceName, path: string, body?: unknown) => {
    const base = localUrlOf(config, service)
    const raw = body instanceof Buffer
    const { statusCode, body: answer } = await request(`${base}${path}`, {
      method,
      headers: {
        'x-auth-token': token,
        ...(body ? { 'content-type': raw ? 'application/octet-stream' : 'application/json' } : {}),
      },
      ...(body ? { body: raw ? body : JSON.stringify(body) } : {}),
    })
    const text = await answer.text()
    if (statusCode >= 300) {
      throw new CloudError('internal', `Seeding: ${method} ${service}${path}: ${statusCode} ${text}`)
    }
    return (text ? JSON.parse(text) : undefined) as T
  }
}

interface Image {
  id: string
  status: string
}

async function seedImage(api: Client, name: string, archive: () => Promise<Buffer>): Promise<string> {
  const { images } = await api<{ images: Image[] }>('GET', 'image', `/v2/images?name=${name}&visibility=public`)
  const image =
    images[0] ??
    (await api<Image>('POST', 'image', '/v2/images', {
      name,
      container_format: 'docker',
      disk_format: 'raw',
      visibility: 'public',
    }))
  if (image.status === 'queued') await api('PUT', 'image', `/v2/images/${image.id}/file`, await archive())
  return image.id
}

async function seedServer(api: Client, imageId: string, projectId: string): Promise<void> {
  const { servers } = await api<{ servers: object[] }>('GET', 'compute', `/v2.1/servers?name=${firstServerName}`)
  if (servers.length > 0) return
  const path = `/v2.0/networks?name=private&project_id=${projectId}`
  const { networks } = await api<{ networks: { id: string }[] }>('GET', 'network', path)
  const server = { name: firstServerName, imageRef: imageId, flavorRef: '1', networks: [{ uuid: networks[0]?.id }] }
  await api('POST', 'compute', '/v2.1/servers', { server })
}
