import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { CloudError, messageOf } from '../platform/errors.ts'
import { newSecret } from '../platform/ids.ts'
import { commandOf, startTimeOf } from './processes.ts'

/** What lies in a state directory, as far as the command is concerned. */
export const statePaths = (stateDir: string) => ({
  cloudId: join(stateDir, 'cloud-id'),
  secrets: join(stateDir, 'secrets.json'),
  clouds: join(stateDir, 'clouds.yaml'),
  openrc: (user: string) => join(stateDir, `${user}-openrc`),
  lock: join(stateDir, 'lock'),
  pid: join(stateDir, 'berth.pid'),
  started: join(stateDir, 'started.json'),
  log: join(stateDir, 'berth.log'),
  control: join(stateDir, 'control.sock'),
  engine: join(stateDir, 'engine'),
})

/** Made at the first start. */
export interface Secrets {
  readonly adminPassword: string
  readonly demoPassword: string
  /** Between hosts and the metadata service. */
  readonly metadataSecret: string
  /** Control's own word on the bus, and what the hosts' are made of. */
  readonly busSecret: string
}

/** What may lie in a directory before a cloud is made in it: settings, and what a start that was cut off left. */
const early = /^(berth\.yaml|policy\.yaml|lock(-journal)?|berth\.log|berth\.pid(\.new)?|control\.sock|cloud-id\.new)$/

/**
 * Makes the directory when it is absent. @throws CloudError when we may not, and for a directory of something else:
 * its mode is about to change, and `destroy` will remove it whole.
 */
export function ensureStateDir(stateDir: string): void {
  try {
    const found = existsSync(stateDir) && !existsSync(statePaths(stateDir).cloudId) ? readdirSync(stateDir) : []
    const foreign = found.find((name) => !early.test(name))
    if (foreign !== undefined) {
      const reason = `${stateDir} holds no cloud, but other things (${foreign}); name a new or an empty directory`
      throw new CloudError('badRequest', reason)
    }
    mkdirSync(stateDir, { recursive: true, mode: 0o700 })
    chmodSync(stateDir, 0o700)
  } catch (error) {
    if (error instanceof CloudError) throw error
    throw new CloudError('unavailable', `cannot make the state directory: ${messageOf(error)}`, { cause: error })
  }
}

/** Writes a file whole or not at all, readable by its owner only. */
export function writePrivate(path: string, text: string): void {
  const fresh = `${path}.new`
  rmSync(fresh, { force: true })
  writeFileSync(fresh, text, { mode: 0o600, flush: true })
  renameSync(fresh, path)
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** The cloud's id; undefined when there is no cloud in this directory. */
export function findCloudId(stateDir: string): string | undefined {
  const path = statePaths(stateDir).cloudId
  const text = readIfThere(path)?.trim()
  if (text !== undefined && !/^[0-9a-f]{8}$/.test(text))
    throw new CloudError('unavailable', `${path} does not hold a cloud id (eight hex digits)`)
  return text
}

/** Eight hex digits that mark all this cloud makes on the machine: made once, never changed. */
export function ensureCloudId(stateDir: string): string {
  const known = findCloudId(stateDir)
  if (known !== undefined) return known
  const made = randomBytes(4).toString('hex')
  writePrivate(statePaths(stateDir).cloudId, `${made}\n`)
  return made
}

/** The first passwords of the seeded users: made once, and kept. */
export function ensureSecrets(stateDir: string): Secrets {
  const path = statePaths(stateDir).secrets
  const text = readIfThere(path)
  if (text === undefined) {
    const made: Secrets = {
      ...{ adminPassword: newSecret(), demoPassword: newSecret() },
      ...{ metadataSecret: newSecret(), busSecret: newSecret() },
    }
    writePrivate(path, `${JSON.stringify(made, null, 2)}\n`)
    return made
  }
  try {
    const found = JSON.parse(text) as Partial<Secrets>
    const { adminPassword, demoPassword, metadataSecret = newSecret(), busSecret = newSecret() } = found
    if (typeof adminPassword === 'string' && typeof demoPassword === 'string') {
      const secrets: Secrets = { adminPassword, demoPassword, metadataSecret, busSecret }
      // Those of an earlier version had fewer.
      if (Object.keys(found).length < 4) writePrivate(path, `${JSON.stringify(secrets, null, 2)}\n`)
      return secrets
    }
  } catch {
    // Falls through: half a file and a wrong one are the same to whoever must mend it.
  }
  throw new CloudError('unavailable', `${path} is damaged: it must hold adminPassword and demoPassword`)
}

/**
 * Holds the state directory for one process; null when another holds it. Node has no flock(2), but SQLite locks its
 * files, and the kernel lets go of such a lock with the process, however it ends.
 */
export function tryLock(stateDir: string): { release(): void } | null {
  const database = new DatabaseSync(statePaths(stateDir).lock)
  chmodSync(statePaths(stateDir).lock, 0o600)
  try {
    database.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if ((error as { errcode?: number }).errcode === 5) return null // SQLITE_BUSY
    throw error
  }
  return { release: () => database.close() }
}

/** What a start was told that a later `destroy`, without its flags and variables, must know. */
export interface Started {
  /** Empty: our own. */
  readonly engineSocket: string
  /** What stands before the names of images pulled from us. */
  readonly registryHost: string
}

export const writeStarted = (stateDir: string, started: Started): void =>
  writePrivate(statePaths(stateDir).started, `${JSON.stringify(started)}\n`)

export function findStarted(stateDir: string): Started | undefined {
  const text = readIfThere(statePaths(stateDir).started)
  return text === undefined ? undefined : (JSON.parse(text) as Started)
}

export function writePid(stateDir: string): void {
  writePrivate(statePaths(stateDir).pid, `${process.pid} ${startTimeOf(process.pid)}\n`)
}

/** The process that runs this cloud; undefined when none does, whatever an old file says. */
export function findPid(stateDir: string): number | undefined {
  const [pid = '', started] = readIfThere(statePaths(stateDir).pid)?.trim().split(' ') ?? []
  const isIt = /^\d+$/.test(pid) && startTimeOf(Number(pid)) === started
  return isIt && commandOf(Number(pid)).some((word) => word.endsWith('main.ts')) ? Number(pid) : undefined
}

/** After a start that failed before a cloud was made, with the lock still held: takes away what it left, and the directory when it is empty then. */
export function forget(stateDir: string): void {
  const paths = statePaths(stateDir)
  if (existsSync(paths.cloudId)) return
  for (const path of [paths.lock, `${paths.lock}-journal`, paths.pid, paths.log, paths.control])
    rmSync(path, { force: true })
  try {
    rmdirSync(stateDir)
  } catch {
    // It holds something that is not ours, such as a berth.yaml.
  }
}
