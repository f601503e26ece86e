import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { chown, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { ensureTools, findProgram } from '../../src/cli/tools.ts'

const run = promisify(execFile)
const startTimeoutMs = 60_000

interface Server {
  /** Of the data and of the unix socket. */
  directory: string
  process: ChildProcess
  admin: pg.Pool
}
interface User {
  uid: number
  gid: number
}

let server: Promise<Server> | null = null
let databases = 0
// At the root: the server outlives the test that needed it first, and ends with the process's last.
after(stop)

/**
 * The URL of an empty database on a real PostgreSQL, Debian's newest, started once per test process on a unix socket of
 * its own. The database goes with the test, the server with the process.
 */
export async function startPostgres(t: TestContext): Promise<string> {
  server ??= boot()
  const { directory, admin } = await server
  const name = `t${++databases}`
  await admin.query(`create database ${name} template template0 encoding 'UTF8' locale 'C'`)
  t.after(async () => {
    await admin.query(`drop database ${name} with (force)`)
  })
  return `postgres://postgres@/${name}?host=${encodeURIComponent(directory)}`
}

async function boot(): Promise<Server> {
  const bin = await findBin()
  const user = process.getuid?.() === 0 ? await postgresUser() : null
  const directory = await mkdtemp(join(tmpdir(), 'berth-pg-'))
  if (user) await chown(directory, user.uid, user.gid)
  const data = join(directory, 'data')
  const initdb = ['-D', data, '-U', 'postgres', '-A', 'trust', '--no-locale', '-E', 'UTF8', '--no-sync']
  const [program, args] = as(user, join(bin, 'initdb'), initdb)
  await run(program, args, { cwd: directory })
  return await listen(user, bin, directory, data)
}

async function listen(user: User | null, bin: string, directory: string, data: string): Promise<Server> {
  const settings = {
    listen_addresses: '',
    unix_socket_directories: directory,
    fsync: 'off',
    synchronous_commit: 'off',
    full_page_writes: 'off',
    max_connections: '200',
    shared_buffers: '32MB',
  }
  const flags = Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`])
  const [program, args] = as(user, join(bin, 'postgres'), ['-D', data, ...flags])
  const child = spawn(program, args, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr?.on('data', (chunk) => {
    said = (said + chunk).slice(-4000)
  })
  child.unref()
  const admin = new pg.Pool({ host: directory, user: 'postgres', database: 'postgres', max: 2, allowExitOnIdle: true })
  admin.on('error', () => {}) // The server ends before the pool when the process is stopped.
  const giveUp = performance.now() + startTimeoutMs
  for (;;) {
    try {
      await admin.query('select 1')
      return { directory, process: child, admin }
    } catch (error) {
      if (child.exitCode !== null) throw new Error(`PostgreSQL did not start:\n${said}`)
      if (performance.now() > giveUp) throw error
      await sleep(20)
    }
  }
}

async function stop(): Promise<void> {
  if (!server) return
  const { directory, process: child, admin } = await server
  await admin.end()
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.ref() // else this process may be over first, and leave the directory
  // An immediate end: nothing of it is kept.
  child.kill('SIGQUIT')
  await exited
  await rm(directory, { recursive: true, force: true })
}

/** PostgreSQL refuses to run as root; and it goes when the test process is killed. */
function as(user: User | null, program: string, args: string[]): [string, string[]] {
  const drop = user ? [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'] : []
  return ['setpriv', ['--pdeathsig=QUIT', ...drop, program, ...args]]
}

/** Installed first when it is missing and we are root. @throws CloudError that says what to run otherwise. */
async function findBin(): Promise<string> {
  await ensureTools({ ownEngine: false, forTests: true, say: (line) => console.log(line) })
  return dirname(findProgram('postgres') ?? '')
}

async function postgresUser(): Promise<User> {
  const line = (await readFile('/etc/passwd', 'utf8')).split('\n').find((entry) => entry.startsWith('postgres:'))
  const [, , uid, gid] = line?.split(':') ?? []
  if (!uid || !gid) throw new Error('There is no user `postgres` to run PostgreSQL as')
  return { uid: Number(uid), gid: Number(gid) }
}
