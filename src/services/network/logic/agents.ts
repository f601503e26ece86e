import { createHash } from 'node:crypto'
import type { Host } from '../../../platform/hosts/hosts.ts'
import * as settingsRows from '../db/agent-settings.ts'
import * as hostRows from '../db/hosts.ts'
import * as routerRows from '../db/routers.ts'
import { zone } from './availability-zones.ts'
import { type Deps, loops } from './deps.ts'
import { badRequest, conflict, missing } from './errors.ts'
import { flag } from './flags.ts'
import { routerNotFound } from './router-errors.ts'

/**
 * The parts of a host's network role, each under the name that OpenStack's tools know for it. One process serves all of
 * them, so they live and die together.
 */
export const agentTypes = [
  { type: 'Linux bridge agent', binary: 'neutron-linuxbridge-agent', topic: 'N/A' },
  { type: 'L3 agent', binary: 'neutron-l3-agent', topic: 'l3_agent' },
  { type: 'DHCP agent', binary: 'neutron-dhcp-agent', topic: 'dhcp_agent' },
  { type: 'Metadata agent', binary: 'neutron-metadata-agent', topic: 'N/A' },
] as const
type AgentType = (typeof agentTypes)[number]['type']
export const l3Agent: AgentType = 'L3 agent'

export interface Agent {
  id: string
  agent_type: AgentType
  binary: string
  topic: string
  host: string
  admin_state_up: boolean
  created_at: string
  started_at: string
  heartbeat_timestamp: string
  alive: boolean
  description: string
  availability_zone: string
  configurations: Record<string, unknown>
}

export const agentNotFound = (id: string) => missing('AgentNotFound', `Agent ${id} could not be found.`)

/** The same for a host's agent whenever it is asked, in the form of a UUID (RFC 9562 §5.8). */
function idOf(host: string, type: AgentType): string {
  const hex = createHash('sha256').update(`${host} ${type}`).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** Source: Network API reference, "Agents". */
export async function list({ hosts, database }: Pick<Deps, 'hosts' | 'database'>): Promise<Agent[]> {
  const settings = await settingsRows.all(database.read)
  return (await hosts.list('network')).flatMap((host) =>
    agentTypes.flatMap(({ type, binary, topic }) => {
      const id = idOf(host.name, type)
      const set = settings.get(id)
      if (set?.removed_at != null && set.removed_at >= host.seenAt) return []
      const agent: Agent = {
        ...{ id, agent_type: type, binary, topic, host: host.name },
        admin_state_up: set?.admin_state_up !== 0,
        ...{ created_at: moment(host.startedAt), started_at: moment(host.startedAt) },
        heartbeat_timestamp: moment(host.seenAt),
        alive: hosts.isUp(host),
        description: set?.description ?? '',
        availability_zone: zone,
        configurations: configurationsOf(type, host),
      }
      return [agent]
    }),
  )
}

/** As Neutron prints the times of agents. */
const moment = (time: string): string => time.slice(0, 19).replace('T', ' ')

function configurationsOf(type: AgentType, { facts }: Host): Record<string, unknown> {
  if (type === l3Agent) return { agent_mode: 'legacy', handle_internal_only_routers: true }
  if (type !== 'Linux bridge agent') return {}
  return { tunnel_types: ['vxlan'], tunneling_ip: facts.tunnelIp ?? '', l2_population: true, devices: facts.ports ?? 0 }
}

/** @throws CloudError `notFound` */
export async function get(deps: Pick<Deps, 'hosts' | 'database'>, id: string): Promise<Agent> {
  const agent = (await list(deps)).find((one) => one.id === id)
  if (!agent) throw agentNotFound(id)
  return agent
}

export interface AgentChanges {
  admin_state_up?: boolean
  description?: string
}

/** An L3 agent that is switched off gets no further routers. */
export async function update(deps: Deps, id: string, changes: AgentChanges): Promise<Agent> {
  const agent = { ...(await get(deps, id)), ...changes }
  await deps.database.write((trx) =>
    settingsRows.put(trx, {
      ...{ id, host: agent.host, agent_type: agent.agent_type, description: agent.description },
      ...{ admin_state_up: flag(agent.admin_state_up), removed_at: null },
    }),
  )
  deps.nudge(loops.routers)
  return agent
}

/** Forgets the agent; that of a host which is still there is back with its next heartbeat. */
export async function remove(deps: Deps, id: string): Promise<void> {
  const { host, agent_type } = await get(deps, id)
  const removed_at = deps.clock.now()
  const row = { id, host, agent_type, admin_state_up: 1, description: '', removed_at } as const
  await deps.database.write((trx) => settingsRows.put(trx, row))
}

async function l3(deps: Deps, id: string): Promise<Agent> {
  const agent = await get(deps, id)
  if (agent.agent_type !== l3Agent || !agent.admin_state_up) {
    throw conflict('InvalidL3Agent', `Agent ${id} is not a L3 Agent or has been disabled`)
  }
  return agent
}

export async function routersOn(deps: Deps, id: string): Promise<routerRows.RouterRow[]> {
  const agent = await get(deps, id)
  return agent.agent_type === l3Agent ? await routerRows.onHost(deps.database.read, agent.host) : []
}

export async function agentsOf(deps: Deps, routerId: string): Promise<Agent[]> {
  const router = await routerRows.find(deps.database.read, routerId)
  if (!router) throw routerNotFound(routerId)
  if (router.host === null) return []
  return (await list(deps)).filter((agent) => agent.agent_type === l3Agent && agent.host === router.host)
}

/** Source: Network API reference, "Schedule router to an l3 agent". @throws CloudError */
export async function schedule(deps: Deps, id: string, routerId: unknown): Promise<void> {
  if (typeof routerId !== 'string') throw badRequest('HTTPBadRequest', "Required attribute 'router_id' not specified")
  const agent = await l3(deps, id)
  await deps.database.write(async (trx) => {
    const router = await routerRows.find(trx, routerId)
    if (!router) throw routerNotFound(routerId)
    if (router.host === agent.host) return
    if (router.host !== null) {
      throw conflict('RouterHostedByL3Agent', `The router ${routerId} has been already hosted by another L3 Agent.`)
    }
    await routerRows.place(trx, routerId, agent.host)
    for (const port of await routerRows.portsOf(trx, [routerId])) {
      await hostRows.carryNetwork(trx, port.network_id, agent.host)
    }
  })
  deps.nudge(loops.networks)
  deps.nudge(loops.routers)
}

/** Takes the router off its host; it is placed nowhere until somebody does. @throws CloudError */
export async function unschedule(deps: Deps, id: string, routerId: string): Promise<void> {
  const agent = await get(deps, id)
  await deps.database.write(async (trx) => {
    const router = await routerRows.find(trx, routerId)
    if (!router) throw routerNotFound(routerId)
    if (router.host === null || router.host !== agent.host) {
      throw conflict('RouterNotHostedByL3Agent', `The router ${routerId} is not hosted by L3 agent ${id}.`)
    }
    await routerRows.unplace(trx, routerId)
    await routerRows.setWorking(trx, routerId, false)
    await routerRows.insertGone(trx, { router_id: routerId, host: router.host, generation: router.generation + 1 })
    for (const port of await routerRows.portsOf(trx, [routerId])) {
      await hostRows.noteIdle(trx, port.network_id, router.host, deps.clock.nowMs())
    }
  })
  deps.nudge(loops.routers)
}
