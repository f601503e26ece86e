import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Pool } from 'undici'
import { parse } from 'yaml'

export interface BenchCloud {
  stateDir: string
  process: ChildProcess
  /** Processor time of the cloud's process so far, all its threads. */
  cpuMs(): number
  stop(): Promise<void>
}

/** `berth simulate` in a process of its own, in a directory of its own, without quotas or bounds of room. */
export async function startSimulated(wanted: {
  hosts: string
  portBase: string
  database?: string
  profile?: string | undefined
}): Promise<BenchCloud> {
  const stateDir = mkdtempSync(join(tmpdir(), 'berth-bench-'))
  const main = new URL('../src/main.ts', import.meta.url).pathname
  const profile = wanted.profile ? ['--cpu-prof', `--cpu-prof-dir=${wanted.profile}`] : []
  const place = ['--state-dir', stateDir, '--port-base', wanted.portBase]
  const cloud = spawn(process.execPath, [...profile, main, 'simulate', '--hosts', wanted.hosts, ...place], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      BERTH_DATABASE: wanted.database ?? 'sqlite',
      BERTH_QUOTAS_INSTANCES: '-1',
      BERTH_QUOTAS_CORES: '-1',
      BERTH_QUOTAS_RAM_MIB: '-1',
      BERTH_CPU_ALLOCATION_RATIO: '1000',
      BERTH_RAM_ALLOCATION_RATIO: '1000',
      BERTH_DISK_ALLOCATION_RATIO: '1000',
    },
  })
  // Whoever ends the benchmark early shall not leave a cloud behind.
  process.once('exit', () => cloud.kill('SIGKILL'))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
  const stop = async () => {
    const ended = new Promise((resolve) => cloud.once('exit', resolve))
    cloud.kill('SIGTERM')
    if (cloud.exitCode === null) await ended
    rmSync(stateDir, { recursive: true, force: true })
  }
  if (!(await saysReady(cloud))) {
    const log = `${stateDir}/berth.log`
    throw new Error(`the cloud ended: ${existsSync(log) ? readFileSync(log) : ''}`)
  }
  return {
    ...{ stateDir, process: cloud, stop },
    cpuMs() {
      const fields = readFileSync(`/proc/${cloud.pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
      return (Number(fields[11]) + Number(fields[12])) * 10
    },
  }
}

async function saysReady(cloud: ChildProcess): Promise<boolean> {
  for await (const chunk of cloud.stdout!) if (String(chunk).includes('SIMULATED')) return true
  return false
}

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'
export type Api = <T>(method: Method, url: string, body?: object) => Promise<T>

export interface Client {
  /** @throws Error with the answer when it is no success */
  api: Api
  /** Where a service is, by its type. */
  endpoint(type: string): string
  projectId: string
  close(): Promise<void>
}

/** The administrator of the cloud in a directory, over so many connections a service. */
export async function logIn(stateDir: string, connections: number): Promise<Client> {
  const file = parse(readFileSync(join(stateDir, 'clouds.yaml'), 'utf8')) as {
    clouds: Record<string, { auth: Record<string, string> }>
  }
  const { auth } = file.clouds.berth!
  const user = { name: auth.username, password: auth.password, domain: { id: 'default' } }
  const scope = { project: { name: auth.project_name, domain: { id: 'default' } } }
  const reply = await fetch(`${auth.auth_url}/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ auth: { identity: { methods: ['password'], password: { user } }, scope } }),
  })
  const { token } = (await reply.json()) as {
    token: {
      project: { id: string }
      catalog: { type: string; endpoints: { interface: string; url: string }[] }[]
    }
  }
  const headers = {
    'x-auth-token': reply.headers.get('x-subject-token') ?? '',
    'content-type': 'application/json',
    'openstack-api-version': 'compute 2.93',
  }
  const pools = new Map<string, Pool>()
  return {
    projectId: token.project.id,
    endpoint: (type) =>
      token.catalog.find((s) => s.type === type)?.endpoints.find((e) => e.interface === 'public')?.url ?? '',
    async api<T>(method: Method, url: string, body?: object): Promise<T> {
      const { origin, pathname, search } = new URL(url)
      const pool = pools.get(origin) ?? new Pool(origin, { connections })
      pools.set(origin, pool)
      const sent = body ? { body: JSON.stringify(body) } : {}
      const answer = await pool.request({ method, path: pathname + search, headers, ...sent })
      const text = await answer.body.text()
      if (answer.statusCode >= 300) throw new Error(`${method} ${url}: ${answer.statusCode} ${text}`)
      return (text ? JSON.parse(text) : null) as T
    },
    async close() {
      for (const pool of pools.values()) await pool.close()
    },
  }
}
