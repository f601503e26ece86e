import { readFile } from 'node:fs/promises'
import { constants } from 'node:os'
import * as containers from '../../../machine/docker/containers.ts'
import type { Engine } from '../../../machine/docker/engine.ts'
import { systemClock } from '../../../platform/clock.ts'
import { CloudError } from '../../../platform/errors.ts'
import type { SeenState } from '../messages.ts'
import { cloudLabel, containerName } from './container-spec.ts'
import type { Seen } from './driver.ts'
import { rescueName } from './rescue.ts'

/** What a server's owner is shown of the end: at most so many lines and bytes. */
const lastLines = 20
const lastBytes = 2048

const states: Readonly<Record<containers.Status, SeenState>> = {
  created: 'stopped',
  running: 'running',
  paused: 'paused',
  restarting: 'running',
  removing: 'absent',
  exited: 'stopped',
  dead: 'stopped',
}

export const seenStateOf = (status: containers.Status): SeenState => states[status]

/** Go's zero time stands for never. */
export const startedAtOf = ({ State }: containers.Container): string | null =>
  State.StartedAt.startsWith('0001-') ? null : State.StartedAt

/** One inspection, and when it began. Engine events bear this machine's time, which no test can move. */
export interface Ours {
  container: containers.Container
  asOfMs: number
}

/** From one inspection; only for a container that has ended are its last lines read too. */
export async function seenOf(
  engine: Engine,
  serverId: string,
  { container: found, asOfMs }: Ours,
  signal: AbortSignal,
): Promise<Seen> {
  const seen = seenStateOf(found.State.Status)
  const startedAt = startedAtOf(found)
  const ended = seen === 'stopped' && startedAt !== null
  return {
    serverId,
    seen,
    containerId: found.Id,
    startedAt,
    exit: ended
      ? {
          code: found.State.ExitCode,
          outOfMemory: found.State.OOMKilled,
          lastOutput: await lastOutput(engine, found, signal),
        }
      : null,
    asOfMs,
  }
}

async function lastOutput(engine: Engine, found: containers.Container, signal: AbortSignal): Promise<string> {
  try {
    const options = { tty: found.Config.Tty, lines: lastLines, maxBytes: lastBytes, signal }
    return (await containers.logs(engine, found.Id, options)).trimEnd()
  } catch {
    signal.throwIfAborted()
    return '' // a log that cannot be read must not hide how the server ended
  }
}

/**
 * Whether the first process has a handler for the signal that asks it to end. In a namespace of its own the kernel drops
 * every other signal for it (pid_namespaces(7)), so a shell would only let the whole grace period pass.
 */
export async function heedsStop(found: containers.Container): Promise<boolean> {
  const number = signalNumber(found.Config.StopSignal ?? 'SIGTERM')
  if (number === null) return true
  if (number === constants.signals.SIGKILL) return false
  try {
    const status = await readFile(`/proc/${found.State.Pid}/status`, 'utf8')
    const caught = /^SigCgt:\s*([0-9a-f]+)$/m.exec(status)?.[1]
    return caught === undefined || (BigInt(`0x${caught}`) & (1n << BigInt(number - 1))) !== 0n
  } catch {
    return true // gone meanwhile, or not ours to read: ask politely
  }
}

function signalNumber(text: string): number | null {
  if (/^\d+$/.test(text)) return Number(text)
  const name = (text.startsWith('SIG') ? text : `SIG${text}`) as NodeJS.Signals
  return constants.signals[name] ?? null
}

/** What stands for the server: its container, or its rescue's, which is there only while the other is down. */
export async function findCurrent(
  engine: Engine,
  cloudId: string,
  serverId: string,
  signal: AbortSignal,
): Promise<Ours | null> {
  const ours = await findOurs(engine, cloudId, serverId, signal)
  if (!ours || ours.container.State.Running) return ours
  return (await findOurs(engine, cloudId, serverId, signal, rescueName(serverId))) ?? ours
}

/** The server's container; null when there is none. @throws CloudError `conflict` when its name is somebody else's */
export async function findOurs(
  engine: Engine,
  cloudId: string,
  serverId: string,
  signal: AbortSignal,
  name = containerName(serverId),
): Promise<Ours | null> {
  const asOfMs = systemClock.nowMs()
  try {
    const container = await containers.inspect(engine, name, signal)
    if (container.Config.Labels?.[cloudLabel] === cloudId) return { container, asOfMs }
  } catch (thrown) {
    if (thrown instanceof CloudError && thrown.kind === 'notFound') return null
    throw thrown
  }
  throw new CloudError(
    'conflict',
    `The engine has a container named ${name} that this cloud did not make; it is left alone.`,
  )
}
