import { cpus, freemem, loadavg, networkInterfaces, uptime } from 'node:os'
import type { ComputeFacts } from '../messages.ts'
import type { EngineFacts } from './driver.ts'

/** The engine's facts with the machine's own of this moment. */
export function computeFacts(engine: EngineFacts, runningServers: number): ComputeFacts {
  const [one = 0, five = 0, fifteen = 0] = loadavg()
  return {
    ...engine,
    memoryFreeMiB: Math.floor(freemem() / 1024 ** 2), // on Linux what is available, caches included
    hostIp: hostIp(),
    runningServers,
    cpuModel: cpus()[0]?.model ?? 'unknown',
    loadAverage: [one, five, fifteen],
    uptimeSeconds: Math.floor(uptime()),
  }
}

function hostIp(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  return addresses.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1'
}
