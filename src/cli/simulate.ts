import { rmSync } from 'node:fs'
import { CloudError } from '../platform/errors.ts'
import { type Call, configOf, UsageError } from './call.ts'
import { serveControl } from './control-socket.ts'
import { writeCredentials } from './credentials.ts'
import { openLog } from './log-file.ts'
import { takenPorts } from './ports.ts'
import { ensureCloudId, ensureSecrets, ensureStateDir, forget, statePaths, tryLock, writePid } from './state.ts'
import { summaryOf } from './summary.ts'
import { versionOfBerth } from './version.ts'

/** `berth simulate`: in the foreground, until it is told to end. Needs neither root nor an engine. */
export async function run(call: Call): Promise<number> {
  const count = (name: string, fallback: number, least: number, most: number) => {
    const value = Number(call.flags[name] ?? fallback)
    if (Number.isInteger(value) && value >= least && value <= most) return value
    throw new UsageError(`--${name} must be a whole number from ${least} to ${most}`)
  }
  const wanted = {
    hosts: count('hosts', 100, 1, 10_000),
    latencyMs: count('latency', 0, 0, 3_600_000),
    failPercent: count('fail', 0, 0, 100),
  }
  const config = { ...configOf(call), demo: false }
  ensureStateDir(config.stateDir)
  const lock = tryLock(config.stateDir)
  if (!lock) throw new CloudError('conflict', `another cloud runs in ${config.stateDir}`)
  const paths = statePaths(config.stateDir)
  try {
    const [taken] = await takenPorts(config)
    if (taken) throw new CloudError('unavailable', `port ${taken.port} (${taken.service}): ${taken.reason}`)
    const cloudId = ensureCloudId(config.stateDir)
    const secrets = ensureSecrets(config.stateDir)
    writePid(config.stateDir)
    writeCredentials(config, secrets)
    const log = openLog(paths.log, config.logLevel)
    const { simulatedCloud } = await import('../simulation.ts')
    const metadataProxySharedSecret = config.metadataProxySharedSecret || secrets.metadataSecret
    const known = { ...config, metadataProxySharedSecret }
    const cloud = await simulatedCloud(wanted)(known, log, { cloudId, ...secrets }, call.out)
    const control = await serveControl(config.stateDir, {
      summary: async () => ({ lines: await summaryOf(config, cloud) }),
      status: async () => ({ version: versionOfBerth(), ...(await cloud.status()) }),
      explain: async (server) => await cloud.explainServer(String(server)),
    })
    for (const line of await summaryOf(config, cloud)) call.out(line)
    call.out(
      `This cloud is SIMULATED: ${wanted.hosts} hosts that run nothing. Servers become ACTIVE, and are not there.`,
    )
    await new Promise((resolve) => {
      process.once('SIGINT', resolve)
      process.once('SIGTERM', resolve)
    })
    await control.close()
    await cloud.stop()
    return 0
  } finally {
    for (const path of [paths.pid, paths.control]) rmSync(path, { force: true })
    forget(config.stateDir)
    lock.release()
  }
}
