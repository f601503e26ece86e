import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import type { RunningCloud, StartCloud } from './cli/running-cloud.ts'
import { environment } from './config.ts'
import { createControl } from './control.ts'
import { type Host, type HostParts, startHost } from './host.ts'
import { busUsers, type HostsDoor, openHostsDoor } from './hosts-door.ts'
import type { Overrides } from './platform/auth/policy.ts'
import { openStores } from './platform/blobs/open-stores.ts'
import type { Bus } from './platform/bus/bus.ts'
import { createLocalBus } from './platform/bus/local.ts'
import { natsBus } from './platform/bus/nats.ts'
import { type NatsProcess, startNatsServer } from './platform/bus/nats-process.ts'
import { systemClock } from './platform/clock.ts'
import { portOf } from './platform/config.ts'
import { openDatabase } from './platform/db/open.ts'
import { CloudError } from './platform/errors.ts'
import { members } from './platform/hosts/members.ts'
import { certificateFor } from './platform/tls/choice.ts'
import { explainPolicy } from './policy-check.ts'
import { firstServerName, seedDemo, seedIdentity } from './seed/index.ts'

/** Every role in this process, on one database and a bus inside it: the whole cloud of one machine. */
export const startCloud: StartCloud = (...given) => cloudOf(startHost, 'host: compute and network', ...given)

/** The same on other hosts than this machine. */
export async function cloudOf(
  startHosts: (parts: HostParts) => Host,
  says: string,
  ...[config, log, secrets, progress]: Parameters<StartCloud>
): Promise<RunningCloud> {
  const clock = systemClock
  const { stateDir } = config
  const { cloudId } = secrets
  const undo: (() => Promise<void>)[] = []
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step()
  }
  let nats: NatsProcess | null = null
  let door: HostsDoor | null = null
  async function openBus(): Promise<Bus> {
    if (config.bus === 'local') {
      const local = createLocalBus(log)
      undo.push(() => local.close())
      return local
    }
    const place = { stateDir, host: config.bind, port: portOf(config, 'bus') }
    const running = await startNatsServer({ ...place, users: busUsers(secrets.busSecret, []) }, log)
    nats = running
    undo.push(() => running.stop())
    const host = config.bind === '0.0.0.0' || config.bind === '::' ? '127.0.0.1' : config.bind
    const remote = natsBus(
      `nats://control:${secrets.busSecret}@${host.includes(':') ? `[${host}]` : host}:${place.port}`,
      'control',
      log,
    )
    undo.push(() => remote.close())
    await remote.ready
    return remote
  }
  try {
    await mkdir(stateDir, { recursive: true, mode: 0o700 })
    const database = await openDatabase(config.database, stateDir, log)
    undo.push(() => database.close())
    const bus = await openBus()
    const storage = {
      flavor: config.storageFlavor,
      configFile: config.storageConfig,
      alsoStores: words(config.imageStores),
    }
    const blobs = await openStores(stateDir, storage, environment(), log)
    const policyOverrides = await readPolicy(stateDir)
    const certificate = await certificateFor(config, clock.nowMs())
    const control = await createControl({
      ...{ config, cloudId, database, bus, blobs, policyOverrides, log, clock },
      ...(certificate ? { certificate } : {}),
    })
    undo.push(() => control.close())
    progress('database: migrated')

    const seeding = { config, control, database, secrets, now: () => clock.now(), progress }
    await seedIdentity(seeding)
    const since = clock.now()
    await control.listen()
    if (nats) {
      await (nats as NatsProcess).allow(busUsers(secrets.busSecret, await members(database.read)))
      const opened = await openHostsDoor({ config, cloudId, busSecret: secrets.busSecret, database, nats, clock, log })
      door = opened
      undo.push(() => opened.close())
    }
    if (config.roles === 'all') {
      const host = startHosts({ config, cloudId, bus, log, clock })
      undo.push(() => host.stop())
      await host.ready
      progress(says)
    }
    await seedDemo(seeding)

    return {
      stop,
      endpoints: control.endpoints(),
      async status() {
        const hosts = await control.hosts.list()
        return {
          services: control.endpoints().map(({ service, url }) => ({ name: service, url, since })),
          hosts: hosts.map((h) => ({
            name: h.name,
            role: h.role,
            up: control.hosts.isUp(h),
            since: h.startedAt,
            seenAt: h.seenAt,
          })),
          loops: control.loops.status(),
        }
      },
      async rotateKeys() {
        const [newest, ...older] = control.services.identity.rotateKeys()
        return { kid: newest?.kid ?? '', keys: older.length + 1, tokenHours: config.tokenHours }
      },
      explainPolicy: (question) => explainPolicy(control.services, question),
      explainServer: (server) => control.services.compute.explain(server),
      collectGarbage: (dryRun) => control.services.image.collectGarbage(dryRun),
      async scrub() {
        return { ...(await control.services.registry.rescrub()), mibPerSecond: config.scrubMiBPerSecond }
      },
      async hostToken(host) {
        if (!door) throw new CloudError('conflict', 'this cloud is one machine; to let others join, set `bus: nats`')
        return await door.token(host)
      },
      firstServer: () => control.services.compute.firstNamed(firstServerName),
    }
  } catch (error) {
    await stop()
    throw error
  }
}

const words = (text: string): string[] => text.split(/[\s,]+/).filter((word) => word !== '')

/** `policy.yaml` beside the database: rule → check string, over upstream's defaults. */
async function readPolicy(stateDir: string): Promise<Overrides> {
  const path = join(stateDir, 'policy.yaml')
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  const rules: unknown = parse(text) ?? {}
  if (typeof rules !== 'object' || Object.values(rules ?? {}).some((check) => typeof check !== 'string')) {
    throw new CloudError('badRequest', `${path} must hold lines of RULE: "CHECK"`)
  }
  return rules as Overrides
}
