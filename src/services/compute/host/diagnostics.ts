import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import * as containers from '../../../machine/docker/containers.ts'
import type { Engine } from '../../../machine/docker/engine.ts'
import { systemClock } from '../../../platform/clock.ts'
import type { Diagnostics } from '../messages.ts'
import type { Seen } from './driver.ts'

const run = promisify(execFile)

/** Source: Compute API reference, "Servers diagnostics", microversion 2.48. A stopped server has used nothing. */
export async function diagnosticsOf(
  engine: Engine,
  found: containers.Container,
  { seen, startedAt, exit }: Seen,
  signal: AbortSignal,
): Promise<Diagnostics> {
  const idle = { cpuTimeNs: 0, memoryUsedMiB: 0, memoryMaximumMiB: 0, uptimeSeconds: 0, nics: [] }
  if (seen !== 'running' && seen !== 'paused') return { state: seen, ...idle, exit }
  const [stats, nics] = await Promise.all([containers.stats(engine, found.Id, signal), nicsOf(found.State.Pid, signal)])
  const { usage = 0, limit = 0, stats: detail = {} } = stats.memory_stats
  // Cache that can be dropped at any time is not use. Its name differs between cgroup v1 and v2.
  const cache = detail.total_inactive_file ?? detail.inactive_file ?? 0
  return {
    state: seen,
    cpuTimeNs: stats.cpu_stats.cpu_usage.total_usage,
    memoryUsedMiB: Math.ceil(Math.max(0, usage - cache) / 1024 ** 2),
    memoryMaximumMiB: Math.floor(limit / 1024 ** 2),
    uptimeSeconds: startedAt ? Math.max(0, Math.floor((systemClock.nowMs() - Date.parse(startedAt)) / 1000)) : 0,
    nics,
    exit,
  }
}

interface Link {
  ifname: string
  link_type: string
  address?: string
  stats64?: { rx: { bytes: number; packets: number }; tx: { bytes: number; packets: number } }
}

/**
 * Counters and addresses of the server's links, from its own network namespace: the Engine's statistics name links
 * without saying which address is whose.
 */
async function nicsOf(pid: number, signal: AbortSignal): Promise<Diagnostics['nics']> {
  const command = [`--net=/proc/${pid}/ns/net`, 'ip', '-json', '-stats', 'link']
  const { stdout } = await run('nsenter', command, { signal, timeout: 10_000 })
  return (JSON.parse(stdout) as Link[]).flatMap(({ link_type, address, stats64 }) =>
    link_type === 'ether' && address && stats64
      ? [
          {
            macAddress: address,
            rxBytes: stats64.rx.bytes,
            txBytes: stats64.tx.bytes,
            rxPackets: stats64.rx.packets,
            txPackets: stats64.tx.packets,
          },
        ]
      : [],
  )
}
