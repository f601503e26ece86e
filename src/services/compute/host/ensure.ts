import { putFiles } from '../../../machine/docker/archive.ts'
import * as containers from '../../../machine/docker/containers.ts'
import type { Engine } from '../../../machine/docker/engine.ts'
import * as networks from '../../../machine/docker/networks.ts'
import { systemClock } from '../../../platform/clock.ts'
import { CloudError } from '../../../platform/errors.ts'
import { faultPoint } from '../../../platform/faults.ts'
import type { ServerOrder } from '../messages.ts'
import type { ConfigDrives } from './config-drives.ts'
import { containerName, containerSpec, dockerNetworks, type EngineLimits, sizeOf } from './container-spec.ts'
import { absent, type EnsureOptions, type Seen, StepFailed } from './driver.ts'
import type { Images } from './images.ts'
import { buildOf, failureOf, halfMade, isImageAbsent, isNetworkAbsent } from './judgements.ts'
import { portsReady, rewire, rewiringOf } from './nics.ts'
import { ensureVolume, removeRescue, rescueName, rescueOrder } from './rescue.ts'
import { findOurs, heedsStop, type Ours, seenOf, startedAtOf } from './seen.ts'

export interface EnsureDeps {
  engine: Engine
  images: Images
  cloudId: string
  limits: EngineLimits
  configDrives: ConfigDrives
}

/** Seconds a first process gets to end by itself. */
const stopGraceSeconds = 10
const softRebootGraceSeconds = 60

/**
 * Short calls that change the engine are not cut short: the engine would carry them out all the same, unseen. Their time
 * limit is far beyond what they take, and only keeps a hung engine from holding the server for ever.
 */
const changing = () => AbortSignal.timeout(120_000)

/** One server's way to what is wanted; remembers the step for the report. */
export async function ensureServer(
  deps: EnsureDeps,
  order: ServerOrder,
  options: EnsureOptions,
  signal: AbortSignal,
): Promise<Seen> {
  const way = new Way(deps, order, options, signal)
  try {
    return await way.walk()
  } catch (thrown) {
    signal.throwIfAborted()
    throw new StepFailed(way.step, thrown)
  }
}

/** How a rescue's container differs from the server's own. */
interface Rescue {
  name: string
  bind: string
}

class Way {
  step = 'compute.inspect'
  private readonly deps: EnsureDeps
  private readonly order: ServerOrder
  private readonly options: EnsureOptions
  private readonly signal: AbortSignal
  private readonly rescue: Rescue | null
  constructor(
    deps: EnsureDeps,
    order: ServerOrder,
    options: EnsureOptions,
    signal: AbortSignal,
    rescue: Rescue | null = null,
  ) {
    this.deps = deps
    this.rescue = rescue
    this.order = order
    this.options = options
    this.signal = signal
  }

  async walk(): Promise<Seen> {
    const { engine, cloudId } = this.deps
    const { serverId, wish } = this.order
    const ours = await findOurs(engine, cloudId, serverId, this.signal, this.name).catch((thrown) => {
      // Under a name that is somebody else's there is none of ours to remove.
      if (wish === 'absent' && thrown instanceof CloudError && thrown.kind === 'conflict') return null
      throw thrown
    })
    // A rescue runs only while the server itself does not: most orders need not look for one.
    const mayBeRescued = this.rescue === null && (ours === null ? wish === 'absent' : !ours.container.State.Running)
    if (this.order.rescue && wish !== 'absent') return this.rescued(ours, this.order.rescue)
    if (mayBeRescued) await this.endRescue()
    if (wish === 'absent') return this.remove(ours?.container.Id ?? null)
    const rebuilt = ours !== null && buildOf(ours.container) !== this.order.buildEpoch
    const whole = ours && !halfMade(ours.container) && !rebuilt ? ours : null
    if (ours && !whole) await containers.remove(engine, ours.container.Id, changing())
    if (!whole) {
      // A rebuild that broke off half way left nothing to be stopped; it is made first.
      if (wish === 'stopped' && this.order.buildEpoch === 0) return absent(serverId, systemClock.nowMs())
      const made = await this.create()
      const now = wish === 'stopped' ? await findOurs(engine, cloudId, serverId, this.signal, this.name) : null
      return now ? this.stop(now) : made
    }
    await this.fit(whole.container)
    await this.rewire(whole.container)
    return wish === 'stopped' ? this.stop(whole) : this.run(whole.container)
  }

  private get name(): string {
    return this.rescue?.name ?? containerName(this.order.serverId)
  }

  /** Another container in the server's place, which is down and whose files that one has. */
  private async rescued(ours: Ours | null, rescue: NonNullable<ServerOrder['rescue']>): Promise<Seen> {
    const { engine, cloudId } = this.deps
    const { serverId } = this.order
    if (!ours) throw new CloudError('conflict', 'The server has no container whose files could be rescued.')
    await this.stop(ours)
    this.step = 'compute.rescue.mounted'
    const bind = await ensureVolume(engine, cloudId, serverId, ours.container, changing())
    faultPoint('compute.rescue.mounted')
    const inside = { name: rescueName(serverId), bind }
    const way = new Way(this.deps, rescueOrder(this.order, rescue), this.options, this.signal, inside)
    return await way.walk().finally(() => {
      this.step = way.step
    })
  }

  /** Before the server's own container may run again. */
  private async endRescue(): Promise<void> {
    const { engine, cloudId } = this.deps
    const { serverId } = this.order
    const found = await findOurs(engine, cloudId, serverId, this.signal, rescueName(serverId))
    this.step = 'compute.rescue.ended'
    await removeRescue(engine, serverId, found?.container.Id ?? null, changing)
  }

  /** Wanted running or paused; the container is there and has run before. */
  private async run(found: containers.Container): Promise<Seen> {
    const { Running, Paused } = found.State
    const { rebootFrom } = this.options
    const reboot = Running && rebootFrom !== null && startedAtOf(found) === rebootFrom
    if (reboot) {
      if (Paused) await this.change('compute.unpause', () => this.thaw(found.Id))
      const patient = this.order.bootKind === 'soft' && (await heedsStop(found))
      // Stop and start apart, so that a grace period given up for a newer order leaves nothing going on in the engine.
      await this.end(found.Id, patient ? softRebootGraceSeconds : 0, 'compute.reboot')
    }
    if (reboot || !Running) {
      await this.plugged()
      await this.ensureResolvConf(found)
      await this.start(found.Id)
    }
    const isPaused = Paused && !reboot
    if (isPaused && this.order.wish === 'running') await this.change('compute.unpause', () => this.thaw(found.Id))
    if (!isPaused && this.order.wish === 'paused') await this.change('compute.pause', () => this.freeze(found.Id))
    return this.look(found.Id)
  }

  /** The limits of a resize, on the container as it is. Its disk keeps its size: the engine sets that once. */
  private async fit({ Id, HostConfig }: containers.Container): Promise<void> {
    const size = sizeOf(this.order, this.deps.limits)
    const same = Object.entries(size).every(([key, value]) => HostConfig[key as keyof typeof HostConfig] === value)
    if (same) return
    await this.change('compute.resize', () => containers.update(this.deps.engine, Id, size, changing()))
  }

  /** The NICs as they are wanted now. */
  private async rewire(found: containers.Container): Promise<void> {
    const rewiring = rewiringOf(found, this.order.ports)
    if (rewiring === null) return
    if (rewiring.join.length > 0) await this.plugged()
    await this.change('compute.attach.connected', () => rewire(this.deps.engine, found.Id, rewiring, changing))
  }

  private async stop(ours: Ours): Promise<Seen> {
    const { engine } = this.deps
    const found = ours.container
    if (found.State.Paused) await this.change('compute.unpause', () => this.thaw(found.Id))
    if (!found.State.Running) return seenOf(engine, this.order.serverId, ours, this.signal)
    await this.end(found.Id, (await heedsStop(found)) ? stopGraceSeconds : 0, 'compute.stop')
    return this.look(found.Id)
  }

  private async end(id: string, graceSeconds: number, step: string): Promise<void> {
    this.step = step
    await containers.stop(this.deps.engine, id, graceSeconds, this.signal)
  }

  private async create(): Promise<Seen> {
    faultPoint('compute.create.begun')
    const { engine, cloudId, limits, images } = this.deps
    const { name } = this
    const { configDrive: content, serverId, files = [], ports } = this.order
    const configDrive = content ? await this.deps.configDrives.write(serverId, content) : null
    const resolvConf = ports.length > 0 ? await this.options.plug.resolvConf?.(serverId) : undefined
    const binds = { configDrive, resolvConf, rescue: this.rescue?.bind }
    const spec = () => containerSpec(this.order, images.idOf(this.order.image), cloudId, limits, binds)
    const giveUp = new AbortController()
    const either = AbortSignal.any([this.signal, giveUp.signal])
    let id: string | null = null
    let pulled = false
    // The data path is waited for beside the pull and the create: the Engine asks for networks only at start.
    const plugged = this.waitForPlug(either)
    plugged.catch(() => giveUp.abort()) // a pull for a server that will have no network is of no use
    try {
      this.step = 'compute.create.begun'
      id = await containers.create(engine, name, spec(), changing()).catch(async (thrown) => {
        if (!isImageAbsent(thrown)) {
          this.step = 'compute.create.created'
          throw thrown
        }
        this.step = 'compute.create.pulled'
        await images.pull(this.order.image, either)
        faultPoint('compute.create.pulled')
        pulled = true
        this.step = 'compute.create.created'
        return containers.create(engine, name, spec(), changing())
      })
      if (!pulled) faultPoint('compute.create.pulled') // it was here already
      faultPoint('compute.create.created')
      if (files.length > 0) {
        this.step = 'compute.create.files'
        await putFiles(
          engine,
          id,
          files.map(({ path, contents }) => ({ path, contents: Buffer.from(contents, 'base64') })),
          either,
        )
      }
      this.step = 'compute.create.connected'
      for (const { name, endpoint } of dockerNetworks(this.order.ports).slice(1))
        await networks.connect(engine, name, id, endpoint, changing())
      await plugged
      faultPoint('compute.create.connected')
      await this.start(id)
      if (this.order.wish === 'paused') await this.freeze(id)
      return await this.look(id)
    } catch (thrown) {
      const cause = giveUp.signal.aborted ? await failureOf(plugged, thrown, this) : thrown
      giveUp.abort()
      // With the engine gone too it stays, and the next order finds it half made.
      if (id !== null) await containers.remove(engine, id, changing()).catch(() => {})
      throw cause
    }
  }

  private async freeze(id: string): Promise<void> {
    await containers.pause(this.deps.engine, id, changing())
    await this.hold(true)
  }

  private async thaw(id: string): Promise<void> {
    await this.hold(false)
    await containers.unpause(this.deps.engine, id, changing())
  }

  private async hold(held: boolean): Promise<void> {
    const portIds = this.order.ports.map((port) => port.portId)
    await this.options.plug.hold?.(portIds, held)
  }

  private async start(id: string): Promise<void> {
    this.signal.throwIfAborted()
    this.step = 'compute.create.started'
    const { engine } = this.deps
    try {
      await containers.start(engine, id, changing())
    } catch (thrown) {
      if (!isNetworkAbsent(thrown)) throw thrown
      // A network made anew has a new id, and the container still asks for the old one.
      for (const { name, endpoint } of dockerNetworks(this.order.ports)) {
        await networks.disconnect(engine, name, id, changing())
        await networks.connect(engine, name, id, endpoint, changing())
      }
      await containers.start(engine, id, changing())
    }
    faultPoint('compute.create.started')
  }

  private async plugged(): Promise<void> {
    this.step = 'compute.create.connected'
    await this.waitForPlug(this.signal)
  }

  /** What is bound into the container must be there when it starts; it went with the server's last NIC, if that was taken. */
  private async ensureResolvConf({ HostConfig }: containers.Container): Promise<void> {
    const bound = HostConfig.Binds?.some((bind) => bind.endsWith(':/etc/resolv.conf'))
    if (bound) await this.options.plug.resolvConf?.(this.order.serverId)
  }

  private waitForPlug(signal: AbortSignal): Promise<void> {
    return portsReady(this.order.ports, this.options.plug, signal)
  }

  private async remove(id: string | null): Promise<Seen> {
    faultPoint('compute.delete.begun')
    this.step = 'compute.delete.removed'
    const { engine } = this.deps
    if (id !== null)
      await containers.remove(engine, id, changing()).catch(async (thrown) => {
        // Somebody else is removing it; what counts is that it is gone.
        if (!(thrown instanceof CloudError) || thrown.kind !== 'conflict') throw thrown
        await containers.wait(engine, id, 'removed', this.signal).catch((gone) => {
          if (!(gone instanceof CloudError) || gone.kind !== 'notFound') throw gone
        })
      })
    await this.deps.configDrives.remove(this.order.serverId)
    faultPoint('compute.delete.removed')
    return absent(this.order.serverId, systemClock.nowMs())
  }

  private async change(step: string, act: () => Promise<void>): Promise<void> {
    this.signal.throwIfAborted()
    this.step = step
    await act()
  }

  /** The one inspection at the end. */
  private async look(id: string): Promise<Seen> {
    const asOfMs = systemClock.nowMs()
    const container = await containers.inspect(this.deps.engine, id, this.signal)
    return seenOf(this.deps.engine, this.order.serverId, { container, asOfMs }, this.signal)
  }
}
