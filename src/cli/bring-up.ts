import { rmSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import type { Config } from '../config.ts'
import { loopbackHostOf } from '../platform/config.ts'
import { CloudError } from '../platform/errors.ts'
import { serveControl } from './control-socket.ts'
import { writeCredentials } from './credentials.ts'
import { ensureEngine, type ReadyEngine } from './engine.ts'
import { faultAnswers } from './fault-answers.ts'
import { openLog } from './log-file.ts'
import { giveBackMemory, memory } from './memory.ts'
import { stopEngine, watchEngine } from './own-engine.ts'
import type { Progress } from './progress.ts'
import type { PolicyQuestion, RunningCloud, StartCloud } from './running-cloud.ts'
import { ensureCloudId, ensureSecrets, findCloudId, statePaths, writePid, writeStarted } from './state.ts'
import { summaryOf } from './summary.ts'
import { versionOfBerth } from './version.ts'

/**
 * Makes the cloud run, tells that it does, and returns when it was asked to end and has. The caller holds the lock.
 * When the very first start fails before the cloud itself begins, nothing is left; later, the data is.
 */
export async function bringUp(config: Config, progress: Progress, load = loadCloud): Promise<void> {
  const paths = statePaths(config.stateDir)
  const firstEver = findCloudId(config.stateDir) === undefined
  const asked = untilAsked()
  const step = (text: string) => {
    // Thrown into whatever tells a step, which then takes back what it has begun.
    if (asked.already()) throw new CloudError('unavailable', 'asked to end before it was ready')
    progress.step(text)
  }
  let cloud: RunningCloud | null = null
  let engine: ReadyEngine | null = null
  let stopWatching = (): void => {}
  const log = openLog(paths.log, config.logLevel)
  const control = await serveControl(config.stateDir, {
    summary: async () => cloud && { lines: await summaryOf(config, cloud) },
    status: async () => cloud && { ...about(config), ...(await cloud.status()) },
    'rotate-keys': async () => cloud && (await cloud.rotateKeys()),
    'collect-garbage': async (said) =>
      cloud && (await cloud.collectGarbage((said as { dryRun?: boolean } | undefined)?.dryRun === true)),
    scrub: async () => cloud && (await cloud.scrub()),
    explain: async (server) => cloud && (await cloud.explainServer(String(server))),
    'host-token': async (host) => cloud && { token: await cloud.hostToken(String(host)) },
    'policy-check': async (question) => cloud && (await cloud.explainPolicy(question as PolicyQuestion)),
    ...(config.faults ? faultAnswers(() => engine?.own ?? null) : {}),
  })
  // The code of all services is read while the engine starts.
  const loading = load()
  loading.catch(() => {}) // heard of below
  try {
    const cloudId = ensureCloudId(config.stateDir)
    writePid(config.stateDir)
    writeStarted(config.stateDir, {
      engineSocket: config.engineSocket,
      registryHost: loopbackHostOf(config, 'registry'),
    })
    if (config.roles === 'all') {
      engine = await ensureEngine(config, cloudId, step)
      step(`engine: ${engine.description}${engine.own && !engine.startedNow ? ' (runs already)' : ''}`)
    }
    const secrets = ensureSecrets(config.stateDir)
    writeCredentials(config, secrets)
    if (engine?.own) stopWatching = watchEngine(engine.own, log)
    const start = await loading
    const metadataProxySharedSecret = config.metadataProxySharedSecret || secrets.metadataSecret
    const known = { ...config, engineSocket: engine?.socket ?? '', metadataProxySharedSecret }
    cloud = await start(known, log, { cloudId, ...secrets }, step)
    await firstServerSettled(cloud, step)
    progress.ready(await summaryOf(config, cloud))
    giveBackMemory()
    log.info({ version: versionOfBerth(), cloudId }, 'the cloud is up')
    log.info({ signal: await asked.signal }, 'the cloud ends')
  } catch (error) {
    log.fatal({ err: error }, 'the cloud did not start')
    stopWatching()
    if (engine?.own && engine.startedNow) await stopEngine(engine.own)
    if (engine === null && firstEver) for (const path of [paths.cloudId, paths.started]) rmSync(path, { force: true })
    throw error
  } finally {
    // Servers and the engine go on: the next start takes them over.
    await cloud?.stop()
    stopWatching()
    await control.close()
    for (const path of [paths.pid, paths.control]) rmSync(path, { force: true })
    asked.forget()
  }
}

/** Only at the first start is it still being made; one that takes long is no reason not to be ready. */
async function firstServerSettled(cloud: RunningCloud, step: Progress['step']): Promise<void> {
  const until = performance.now() + 30_000
  let server = await cloud.firstServer()
  const made = server?.status === 'BUILD'
  while (server?.status === 'BUILD' && performance.now() < until) {
    await pause(20)
    server = await cloud.firstServer()
  }
  if (made && server) step(`server ${server.name}: ${server.status} ${server.address ?? ''}`.trimEnd())
}

const loadCloud = async (): Promise<StartCloud> => (await import('../cloud.ts')).startCloud

const about = (config: Config) => ({
  version: versionOfBerth(),
  pid: process.pid,
  stateDir: config.stateDir,
  ...memory(),
})

/** The first SIGTERM or SIGINT asks for an orderly end; a second one, by an impatient hand, ends at once. */
function untilAsked(): { signal: Promise<string>; already(): boolean; forget(): void } {
  let settle: (name: string) => void = () => {}
  const signal = new Promise<string>((resolve) => {
    settle = resolve
  })
  let count = 0
  const heard = (name: string) => {
    if (++count > 1) process.exit(130)
    settle(name)
  }
  process.on('SIGTERM', heard)
  process.on('SIGINT', heard)
  process.on('SIGHUP', ignore)
  return {
    signal,
    already: () => count > 0,
    forget() {
      process.off('SIGTERM', heard)
      process.off('SIGINT', heard)
      process.off('SIGHUP', ignore)
    },
  }
}

const ignore = (): void => {}
