import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import type { Logger } from '../../../platform/log.ts'
import type { NetworkOrder, PortOrder } from '../messages.ts'
import { dnsmasqFolder, dnsmasqOf } from './dnsmasq.ts'
import { dnsmasqFiles } from './dnsmasq-files.ts'
import type { MetadataProxy } from './metadata-proxy.ts'

/** What a network's servers find at its own addresses: DHCP, DNS and metadata. */
export interface NetworkServices {
  /** Brings them in line with the orders, soon; nobody waits for it. */
  settle(order: NetworkOrder, ports: readonly PortOrder[]): void
  /** Looks whether they are there still. */
  check(): void
  /** Ends them, so that the namespace can go. */
  remove(): Promise<void>
}

export interface ServicesDeps {
  cloudId: string
  log: Logger
  /** None on a host that was told of no metadata service. */
  metadata: MetadataProxy | null
}

/** Changes come in bursts: one round serves those of this long. */
const gatherMs = 100

export function networkServices(networkId: string, { cloudId, log, metadata }: ServicesDeps): NetworkServices {
  const dnsmasq = dnsmasqOf(cloudId, networkId)
  let wanted: { order: NetworkOrder; ports: readonly PortOrder[] } | null = null
  let timer: NodeJS.Timeout | null = null
  let running: Promise<void> = Promise.resolve()

  async function round(): Promise<void> {
    timer = null
    if (!wanted) return
    const { order, ports } = wanted
    // A network that only routers are on has nobody to ask it anything.
    if (ports.length === 0) return
    const files = dnsmasqFiles(order, ports, dnsmasqFolder(cloudId, networkId), await machineResolvers())
    await dnsmasq.ensure(files)
    await metadata?.ensure(networkId)
  }

  const soon = () => {
    timer ??= setTimeout(() => {
      running = running.then(round).catch((error) => {
        log.warn({ err: error, network: networkId }, 'DHCP, DNS or metadata of a network cannot be served')
      })
    }, gatherMs)
  }

  return {
    settle(order, ports) {
      wanted = { order, ports }
      soon()
    },
    check: soon,
    async remove() {
      wanted = null
      if (timer) clearTimeout(timer)
      timer = null
      await running
      await metadata?.close(networkId)
      await dnsmasq.stop()
    },
  }
}

/** The machine's own, but for those that only the machine itself can reach. */
async function machineResolvers(): Promise<string[]> {
  for (const path of ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf']) {
    const text = await readFile(path, 'utf8').catch(() => '')
    const all = [...text.matchAll(/^nameserver\s+(\S+)/gm)].map((match) => match[1] ?? '')
    const reachable = all.filter((address) => isIP(address) && !/^127\.|^::1$/.test(address))
    if (reachable.length > 0) return reachable
  }
  return []
}
