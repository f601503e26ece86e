import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { NetworkOrder, PortOrder } from '../messages.ts'
import { dnsDomain, resolversOf } from './dnsmasq-files.ts'
import { runDirOf } from './names.ts'
import { type Orders, serverIdOf } from './orders.ts'

/** The `/etc/resolv.conf` of servers: files of ours that the engine binds into them, past its own name service. */
export interface ResolvConf {
  /** Where the server's file is; it is there when this resolves. */
  pathOf(serverId: string): Promise<string>
  /** Brings it in line with the server's subnets, unless the server itself has changed it since. */
  settle(serverId: string): Promise<void>
  remove(serverId: string): Promise<void>
}

/** What a C library heeds. Source: resolv.conf(5), MAXNS. */
const mostServers = 3

export function resolvConf(cloudId: string, orders: Orders): ResolvConf {
  const root = join(runDirOf(cloudId), 'servers')
  const fileOf = (serverId: string) => join(root, serverId, 'resolv.conf')
  const givenOf = (serverId: string) => join(root, serverId, 'given')
  const read = (path: string) => readFile(path, 'utf8').catch(() => null)

  async function write(serverId: string, text: string): Promise<void> {
    // Only root comes through here; inside, the file is anybody's who is root there.
    await mkdir(root, { recursive: true, mode: 0o711 })
    await chmod(root, 0o700)
    await mkdir(join(root, serverId), { recursive: true })
    const path = fileOf(serverId)
    await writeFile(path, text) // in place: what is bound is the file itself
    await chmod(path, 0o666)
    await writeFile(givenOf(serverId), text)
  }

  return {
    async pathOf(serverId) {
      if ((await read(fileOf(serverId))) === null) await write(serverId, textFor(orders, serverId))
      return fileOf(serverId)
    },
    async settle(serverId) {
      const [now, given] = await Promise.all([read(fileOf(serverId)), read(givenOf(serverId))])
      const text = textFor(orders, serverId)
      if (now !== null && (now !== given || now === text)) return
      await write(serverId, text)
    },
    remove: (serverId) => rm(join(root, serverId), { recursive: true, force: true }),
  }
}

/** The NIC with the metadata route is the server's first. */
function textFor(orders: Orders, serverId: string): string {
  const ports = [...orders.ports.values()].filter((port) => serverIdOf(port) === serverId)
  const inOrder = ports.toSorted((a, b) => Number(b.metadataRoute ?? false) - Number(a.metadataRoute ?? false))
  const servers = inOrder.flatMap((port) => {
    const network = orders.networks.get(port.networkId)
    return network ? subnetsOf(port, network).flatMap((subnet) => resolversOf(network, subnet)) : []
  })
  const lines = [
    `search ${dnsDomain}`,
    ...[...new Set(servers)].slice(0, mostServers).map((one) => `nameserver ${one}`),
  ]
  return `${lines.join('\n')}\n`
}

const subnetsOf = (port: PortOrder, { subnets }: NetworkOrder) =>
  subnets.filter((subnet) => port.fixedIps.some(({ subnetId }) => subnetId === subnet.subnetId))
