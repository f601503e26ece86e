import { listLinks } from '../../../machine/net/links.ts'
import { deleteNamespace, listNamespaces } from '../../../machine/net/namespaces.ts'
import { CloudError, messageOf } from '../../../platform/errors.ts'
import type { Logger } from '../../../platform/log.ts'
import type { MeterReading, NetworkReport, RouterOrder } from '../messages.ts'
import { type CarriedRouter, carryRouter } from './carried-router.ts'
import { aliasOf, routerNamespaceOf, routerOfNamespace } from './names.ts'
import { checkRouterOrder, type OrderStore } from './orders.ts'
import { readMeters } from './router-meters.ts'

export interface RouterDeps {
  cloudId: string
  log: Logger
  orders: OrderStore
  isNews(id: string, order: { generation: number }, held: { generation: number } | undefined): boolean
  remember(id: string, generation: number): void
  report(id: string, generation: number, state: NetworkReport['state'], message?: string): void
  /** Traffic was counted: it is to be told to control. */
  counted(readings: readonly MeterReading[]): void
  /** Resolves when the network's bridge is there. */
  ensureNetwork(networkId: string): Promise<unknown>
}

/** The routers of this host. */
export interface RouterAgent {
  onOrder(order: RouterOrder): Promise<void>
  /** A network is there, or there again: the routers on it get their ends. */
  networkReady(networkId: string): Promise<void>
  /** Takes up what was on disk. */
  adopt(): Promise<void>
  /** Reads what the routers have counted. */
  readMeters(): Promise<void>
  sweep(): Promise<void>
}

export function routerAgent(deps: RouterDeps): RouterAgent {
  const { cloudId, log, orders, report } = deps
  const carried = new Map<string, CarriedRouter>()

  function routerOf(id: string): CarriedRouter {
    const known = carried.get(id) ?? carryRouter(id, cloudId, orders, deps.counted)
    carried.set(id, known)
    return known
  }

  /** A router waits for all of its networks: the order of each comes by itself. */
  const isWaiting = (order: RouterOrder): boolean =>
    order.adminStateUp && networksOf(order).some((id) => orders.networks.get(id)?.wish !== 'present')

  async function settle(order: RouterOrder): Promise<void> {
    const { routerId: id, generation } = order
    try {
      if (isWaiting(order)) return
      if (order.adminStateUp) await Promise.all(networksOf(order).map((networkId) => deps.ensureNetwork(networkId)))
      await routerOf(id).settle()
      if (orders.routers.get(id) === order) report(id, generation, 'present')
    } catch (error) {
      log.warn({ err: error, router: id }, 'a router order failed')
      report(id, generation, 'error', messageOf(error))
    }
  }

  return {
    async onOrder(order) {
      const { routerId: id, generation } = order
      if (!deps.isNews(id, order, orders.routers.get(id))) return
      try {
        checkRouterOrder(order)
        await orders.put('routers', id, order)
        if (order.wish === 'present') return await settle(order)
        await routerOf(id).settle()
        if (orders.routers.get(id) !== order) return
        await orders.remove('routers', id)
        carried.delete(id)
        deps.remember(id, generation)
        report(id, generation, 'absent')
      } catch (error) {
        log.warn({ err: error, router: id }, 'a router order failed')
        report(id, generation, 'error', messageOf(error))
      }
    },

    async networkReady(networkId) {
      const waiting = [...orders.routers.values()].filter((one) => networksOf(one).includes(networkId))
      await Promise.all(waiting.map((order) => settle(order)))
    },

    async adopt() {
      for (const order of [...orders.routers.values()]) {
        if (order.wish === 'present') await settle(order)
        else await routerOf(order.routerId).settle() // control will say it again, and hear that it is done
      }
    },

    async readMeters() {
      for (const { routerId, meters = [] } of orders.routers.values()) {
        if (meters.length > 0) deps.counted(await readMeters(routerNamespaceOf(routerId)))
      }
    },

    async sweep() {
      for (const namespace of await routerNamespaces(cloudId)) {
        const id = routerOfNamespace(namespace)
        if (id === null || orders.routers.has(id)) continue
        log.info({ router: id }, 'removing a router that nobody asked for')
        await deleteNamespace(namespace)
      }
    },
  }
}

const networksOf = ({ interfaces, gateway }: RouterOrder): string[] => [
  ...new Set([...interfaces, ...(gateway ? [gateway] : [])].map((link) => link.networkId)),
]

/** The routers' namespaces that this cloud made. */
async function routerNamespaces(cloudId: string): Promise<string[]> {
  const found: string[] = []
  for (const namespace of await listNamespaces()) {
    if (routerOfNamespace(namespace) === null) continue
    const links = await listLinks(namespace).catch(() => [])
    if (links.some((link) => link.ifname === 'lo' && link.ifalias === aliasOf(cloudId))) found.push(namespace)
  }
  return found
}

/** Takes every router of this cloud off the machine. @throws CloudError naming what stays */
export async function removeRouters(cloudId: string): Promise<void> {
  const failures: string[] = []
  for (const namespace of await routerNamespaces(cloudId))
    await deleteNamespace(namespace).catch((error) => failures.push(`${namespace}: ${messageOf(error)}`))
  if (failures.length > 0) throw new CloudError('internal', failures.join('; '))
}
