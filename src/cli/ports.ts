import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { type Config, loopbackBeside, portOf, ports, type ServiceName } from '../platform/config.ts'
import { commandOf } from './processes.ts'

export interface TakenPort {
  service: ServiceName
  port: number
  /** Why it cannot be listened on, with its holder when /proc tells. */
  reason: string
}

/** Tries every port of the cloud, and says which cannot be had. */
export async function takenPorts(config: Config): Promise<TakenPort[]> {
  const manyHosts: readonly string[] = ['bus', 'hosts']
  const services = (Object.keys(ports) as ServiceName[]).filter(
    (service) => config.bus === 'nats' || !manyHosts.includes(service),
  )
  const doors = services.map((service) => ({ service, port: portOf(config, service), host: config.bind }))
  const beside = loopbackBeside(config)
  if (beside) doors.push({ service: 'registry', port: portOf(config, 'registry'), host: beside })
  const tried = await Promise.all(doors.map(async (door) => ({ ...door, code: await attempt(door.host, door.port) })))
  return tried.flatMap(({ service, port, host, code }) =>
    code === null ? [] : [{ service, port, reason: reasonOf(code, port, host) }],
  )
}

function attempt(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)))
  })
}

function reasonOf(code: string, port: number, bind: string): string {
  if (code === 'EADDRNOTAVAIL') return `${bind} is no address of this machine`
  if (code === 'EACCES') return 'not allowed to this user'
  if (code !== 'EADDRINUSE') return code
  const holder = holderOf(port)
  return holder ? `taken by process ${holder.pid} (${holder.command})` : 'taken by another process'
}

/** Who listens on a TCP port. Source: proc_pid_net(5): state 0A is LISTEN, the tenth field is the socket's inode. */
export function holderOf(port: number): { pid: number; command: string } | undefined {
  const hexPort = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const inodes = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((table) =>
    lines(table)
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[1]?.endsWith(hexPort) && fields[3] === '0A')
      .map((fields) => `socket:[${fields[9]}]`),
  )
  const pid = pids().find((candidate) => descriptors(candidate).some((target) => inodes.includes(target)))
  return pid === undefined ? undefined : { pid, command: commandOf(pid).join(' ').slice(0, 120) }
}

function lines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').slice(1)
  } catch {
    return [] // no IPv6
  }
}

const pids = (): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)

function descriptors(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/${pid}/fd/${fd}`)]
      } catch {
        return []
      }
    })
  } catch {
    return [] // ended, or another user's
  }
}
