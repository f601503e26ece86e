import { existsSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import type { Config } from '../config.ts'
import { CloudError, messageOf } from '../platform/errors.ts'
import { bringUp } from './bring-up.ts'
import { type Call, configOf } from './call.ts'
import { askControl } from './control-socket.ts'
import { detach } from './detach.ts'
import { takenPorts } from './ports.ts'
import { type Progress, toPipe, toTerminal } from './progress.ts'
import { ensureStateDir, forget, statePaths, tryLock } from './state.ts'
import { ensureTools } from './tools.ts'

/** `berth up`: everything that must be so before there is a cloud is checked before anything is made. */
export async function run(call: Call): Promise<number> {
  const config = configOf(call)
  if (process.getuid?.() !== 0)
    throw new CloudError('forbidden', 'a cloud needs root, to make networks and containers; run: sudo ./berth up')
  if (call.flags.detach) return detach(config, call)
  if (call.flags.follow) process.chdir('/') // the directory it was typed in may go
  const progress = call.flags.follow ? toPipe(3) : toTerminal(call.out, call.err)
  try {
    return await foreground(config, progress)
  } catch (error) {
    const code = error instanceof CloudError && error.kind === 'badRequest' ? 2 : 1
    const reason = error instanceof CloudError ? messageOf(error) : String((error as Error).stack ?? error)
    const made = existsSync(statePaths(config.stateDir).cloudId)
    progress.failed(made ? `${reason}\nto try again: berth up; to remove all of it: berth destroy --yes` : reason, code)
    return code
  }
}

async function foreground(config: Config, progress: Progress): Promise<number> {
  ensureStateDir(config.stateDir)
  const lock = tryLock(config.stateDir)
  if (!lock) {
    progress.ready(await summaryOfOther(config))
    return 0
  }
  try {
    await ensureTools({
      ownEngine: config.engineOwn && config.roles === 'all',
      manyHosts: config.bus === 'nats',
      say: progress.step,
    })
    await ensurePorts(config)
    await bringUp(config, progress)
    return 0
  } finally {
    forget(config.stateDir)
    lock.release()
  }
}

async function ensurePorts(config: Config): Promise<void> {
  const taken = await takenPorts(config)
  if (taken.length === 0) return
  const lines = taken.map(({ port, service, reason }) => `port ${port} (${service}): ${reason}`)
  throw new CloudError('unavailable', [...lines, 'stop what holds it, or move every port: --port-base N'].join('\n'))
}

/** Another process holds the directory: waits until its cloud is ready, and tells what it tells. */
async function summaryOfOther(config: Config): Promise<readonly string[]> {
  const until = performance.now() + 120_000
  while (performance.now() < until) {
    const said = await askControl<{ lines: readonly string[] }>(config.stateDir, 'summary')
    if (said.state === 'up') return said.answer.lines
    const lock = tryLock(config.stateDir)
    if (lock) {
      lock.release()
      throw new CloudError('unavailable', `another start ended; its reason is in ${statePaths(config.stateDir).log}`)
    }
    await pause(100)
  }
  throw new CloudError('unavailable', `another process holds ${config.stateDir}, and is not ready after two minutes`)
}
