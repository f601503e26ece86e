import type { Db } from '../../../platform/db/database.ts'
import * as guestRows from '../db/guest-data.ts'
import * as interfaceRows from '../db/interfaces.ts'
import * as metadataRows from '../db/server-metadata.ts'
import type { Server, ServerImage } from '../db/servers.ts'
import type { OrderedPort, ServerOrder, ServerReport } from '../messages.ts'
import { configDriveOf } from './config-drive.ts'
import type { Deps, ServerPort } from './deps.ts'
import { guestOf } from './guest.ts'
import { commandOf } from './names.ts'

/** Long enough for the Engine to begin the last layer of a big image; it keeps no token beyond that. */
const pullSeconds = 3600

/** The whole wish for each of these servers: a few queries for all of them, and a few more for each with a config drive. */
export async function ordersFor(deps: Deps, db: Db, servers: readonly Server[]): Promise<ServerOrder[]> {
  const ids = servers.map((server) => server.id)
  const [ports, metadata, leaving, guests, drives] = await Promise.all([
    deps.network.serverPorts(db, ids),
    metadataRows.list(db, ids),
    interfaceRows.leaving(db, ids),
    guestRows.list(db, ids),
    configDrives(deps, db, servers),
  ])
  return servers.map((server) => ({
    serverId: server.id,
    generation: server.generation,
    wish: server.wish,
    bootEpoch: server.bootEpoch,
    bootKind: server.bootKind,
    buildEpoch: server.buildEpoch,
    name: server.name,
    hostname: server.hostname,
    projectId: server.projectId,
    userId: server.userId,
    image: pullable(deps, server.imageId, server.image),
    rescue: server.rescue && {
      image: pullable(deps, server.imageId, server.rescue),
      command: commandOf(server.rescue.properties.os_command_line),
    },
    command: commandOf(server.image.properties.os_command_line),
    environment: metadata.get(server.id) ?? {},
    vcpus: server.flavor.vcpus,
    memoryMiB: server.flavor.memoryMiB,
    swapMiB: server.flavor.swapMiB,
    diskGiB: server.flavor.diskGiB,
    dockerSpecs: dockerSpecs(server.flavor.extraSpecs),
    ports: (ports.get(server.id) ?? []).filter(({ portId }) => !leaving.has(portId)).map(orderedPort),
    // A snapshot, which an unshelved server is made from, has them in it, maybe changed.
    ...(isFromItsImage(server) ? { files: guests.get(server.id)?.files ?? [] } : {}),
    ...(drives.has(server.id) ? { configDrive: drives.get(server.id)! } : {}),
  }))
}

const pullable = (deps: Deps, imageId: string, image: ServerImage): ServerOrder['image'] => ({
  ...{ imageId, reference: image.reference, configDigest: image.configDigest },
  pullToken: deps.registry.pullToken(image.repository, pullSeconds),
})

const orderedPort = ({ portId, networkId, macAddress, nicIndex, fixedIps }: ServerPort): OrderedPort => ({
  ...{ portId, networkId, macAddress, nic: nicIndex },
  addresses: fixedIps.map(({ ipAddress }) => ipAddress),
})

const isFromItsImage = ({ image, imageId }: Server): boolean => image.repository.endsWith(imageId)

async function configDrives(deps: Deps, db: Db, servers: readonly Server[]) {
  const wanting = servers.filter(({ configDrive, wish }) => configDrive && wish !== 'absent')
  const drives = wanting.map(async (server) => [server.id, configDriveOf(await guestOf(deps, db, server))] as const)
  return new Map(await Promise.all(drives))
}

function dockerSpecs(extraSpecs: Readonly<Record<string, string>>): Record<string, string> {
  const specs = Object.entries(extraSpecs).filter(([key]) => key.startsWith('docker:'))
  return Object.fromEntries(specs.map(([key, value]) => [key.slice('docker:'.length), value]))
}

/** Tells a host to remove what nobody wants: a server unknown here, deleted, or living on another host. */
export function orphanOrder(report: Pick<ServerReport, 'serverId' | 'generation'>): ServerOrder {
  return {
    serverId: report.serverId,
    generation: report.generation + 1,
    ...{
      wish: 'absent',
      bootEpoch: 0,
      bootKind: 'hard',
      buildEpoch: 0,
      name: '',
      hostname: '',
      projectId: '',
      userId: '',
    },
    image: { imageId: '', reference: '', configDigest: '', pullToken: '' },
    ...{
      rescue: null,
      command: null,
      environment: {},
      vcpus: 0,
      memoryMiB: 0,
      swapMiB: 0,
      diskGiB: 0,
      dockerSpecs: {},
      ports: [],
    },
  }
}
