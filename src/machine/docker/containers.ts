import type { Engine } from './engine.ts'
import { readingBody } from './engine.ts'
import { logText } from './log-frames.ts'
import type { Endpoint } from './networks.ts'

/** Source for the whole file: Docker Engine API reference, "Container". */
export interface NewContainer {
  Image: string
  Hostname?: string
  Cmd?: readonly string[]
  Entrypoint?: readonly string[]
  Env?: readonly string[]
  Tty?: boolean
  OpenStdin?: boolean
  Labels?: Readonly<Record<string, string>>
  HostConfig?: {
    NetworkMode?: string
    Memory?: number
    MemorySwap?: number
    NanoCpus?: number
    CpuShares?: number
    CpusetCpus?: string
    PidsLimit?: number
    ShmSize?: number
    Binds?: readonly string[]
    SecurityOpt?: readonly string[]
    Ulimits?: readonly { Name: string; Soft: number; Hard: number }[]
    Sysctls?: Readonly<Record<string, string>>
    Devices?: readonly { PathOnHost: string; PathInContainer: string; CgroupPermissions: string }[]
    CapAdd?: readonly string[]
    Runtime?: string
    Privileged?: boolean
    UsernsMode?: string
    StorageOpt?: Readonly<Record<string, string>>
    LogConfig?: { Type: string; Config: Readonly<Record<string, string>> }
    RestartPolicy?: { Name: string }
  }
  NetworkingConfig?: { EndpointsConfig: Readonly<Record<string, Endpoint>> }
}

/** Limits that a running container may be given anew. */
export interface Size {
  Memory?: number
  MemorySwap?: number
  NanoCpus?: number
  CpuShares?: number
  CpusetCpus?: string
}

export type Status = 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead'

export interface Container {
  Id: string
  Name: string
  Image: string
  State: {
    Status: Status
    Running: boolean
    Paused: boolean
    OOMKilled: boolean
    Pid: number
    ExitCode: number
    Error: string
    StartedAt: string
    FinishedAt: string
  }
  Config: { Tty: boolean; StopSignal?: string; Labels: Readonly<Record<string, string>> | null }
  HostConfig: Required<Pick<Size, 'Memory' | 'MemorySwap' | 'NanoCpus' | 'CpuShares' | 'CpusetCpus'>> & {
    Binds?: readonly string[] | null
  }
  NetworkSettings: { Networks: Readonly<Record<string, JoinedNetwork>> | null }
  /** Where its layers are on the machine, in the storage driver's own words. */
  GraphDriver?: { Name: string; Data: Readonly<Record<string, string>> | null }
}

export interface JoinedNetwork {
  MacAddress: string
  NetworkID: string
  DriverOpts: Readonly<Record<string, string>> | null
}

export interface ContainerSummary {
  Id: string
  Names: readonly string[]
  State: Status
  Labels: Readonly<Record<string, string>>
}

/** The parts of a one-shot reading that are used. */
export interface Stats {
  cpu_stats: { cpu_usage: { total_usage: number } }
  memory_stats: { usage?: number; limit?: number; stats?: Readonly<Record<string, number>> }
  networks?: Readonly<Record<string, { rx_bytes: number; rx_packets: number; tx_bytes: number; tx_packets: number }>>
}

const pathOf = (id: string) => `/containers/${encodeURIComponent(id)}`

/** Returns the id. @throws CloudError `conflict` when the name is taken, `notFound` when the image is absent */
export async function create(engine: Engine, name: string, wanted: NewContainer, signal: AbortSignal): Promise<string> {
  const made = await engine.json<{ Id: string }>('POST', '/containers/create', {
    query: { name },
    body: wanted,
    signal,
  })
  return made.Id
}

/** @throws CloudError `notFound` */
export const inspect = (engine: Engine, id: string, signal: AbortSignal): Promise<Container> =>
  engine.json('GET', `${pathOf(id)}/json`, { signal })

/** Containers in any state that carry every one of `labels` (`name` or `name=value`). */
export const list = (engine: Engine, labels: readonly string[], signal: AbortSignal): Promise<ContainerSummary[]> =>
  engine.json('GET', '/containers/json', { query: { all: true, filters: JSON.stringify({ label: labels }) }, signal })

const verb =
  (name: string, accept: readonly number[] = []) =>
  async (engine: Engine, id: string, signal: AbortSignal): Promise<void> => {
    await engine.send('POST', `${pathOf(id)}/${name}`, { signal, accept })
  }

/** One that runs already is no failure. */
export const start = verb('start', [304])
/** @throws CloudError `conflict` when it is paused already, or does not run */
export const pause = verb('pause')
/** @throws CloudError when it is not paused */
export const unpause = verb('unpause')

/** Asks the first process to end, and kills it after `graceSeconds`. One that is stopped already is no failure. */
export async function stop(engine: Engine, id: string, graceSeconds: number, signal: AbortSignal): Promise<void> {
  await engine.send('POST', `${pathOf(id)}/stop`, { query: { t: graceSeconds }, signal, accept: [304] })
}

/** Gives it other limits, running or not. @throws CloudError when the kernel refuses, as below what is in use */
export async function update(engine: Engine, id: string, size: Size, signal: AbortSignal): Promise<void> {
  await (await engine.call('POST', `${pathOf(id)}/update`, { body: size, signal })).body.dump()
}

export async function restart(engine: Engine, id: string, graceSeconds: number, signal: AbortSignal): Promise<void> {
  await engine.send('POST', `${pathOf(id)}/restart`, { query: { t: graceSeconds }, signal })
}

/** @throws CloudError `conflict` when it does not run */
export async function kill(engine: Engine, id: string, signalName: string, signal: AbortSignal): Promise<void> {
  await engine.send('POST', `${pathOf(id)}/kill`, { query: { signal: signalName }, signal })
}

/** Removes it with its anonymous volumes, running or not. One that is absent already is no failure. */
export async function remove(engine: Engine, id: string, signal: AbortSignal): Promise<void> {
  await engine.send('DELETE', pathOf(id), { query: { v: true, force: true }, signal, accept: [404] })
}

/** Resolves with the exit code when the container does not run any more, or is gone. */
export async function wait(
  engine: Engine,
  id: string,
  condition: 'not-running' | 'removed',
  signal: AbortSignal,
): Promise<number> {
  const ended = await engine.json<{ StatusCode: number }>('POST', `${pathOf(id)}/wait`, {
    query: { condition },
    signal,
  })
  return ended.StatusCode
}

/** What it has written, at most the last `maxBytes`. `lines`: only so many of the last; null for all that is kept. */
export async function logs(
  engine: Engine,
  id: string,
  options: { tty: boolean; lines: number | null; maxBytes: number; signal: AbortSignal },
): Promise<string> {
  const { tty, lines, maxBytes, signal } = options
  const query = { stdout: true, stderr: true, tail: lines ?? 'all' }
  const { body } = await engine.call('GET', `${pathOf(id)}/logs`, { query, signal })
  return readingBody(() => logText(body, tty, maxBytes), signal, engine.socketPath)
}

/** Makes an image of the container's files. Returns the image id. `labels` replaces those the container carries. */
export async function commit(
  engine: Engine,
  id: string,
  options: { repo: string; tag: string; labels: Readonly<Record<string, string>>; signal: AbortSignal },
): Promise<string> {
  const { repo, tag, labels, signal } = options
  const query = { container: id, repo, tag, pause: true }
  return (await engine.json<{ Id: string }>('POST', '/commit', { query, body: { Labels: labels }, signal })).Id
}

/** One reading, without the second's wait in which the engine would work out a rate. */
export const stats = (engine: Engine, id: string, signal: AbortSignal): Promise<Stats> =>
  engine.json('GET', `${pathOf(id)}/stats`, { query: { stream: false, 'one-shot': true }, signal })
