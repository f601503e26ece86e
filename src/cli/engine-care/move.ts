import { execFile } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import * as containers from '../../machine/docker/containers.ts'
import { openEngine } from '../../machine/docker/engine.ts'
import { info } from '../../machine/docker/system.ts'
import { CloudError, messageOf } from '../../platform/errors.ts'
import { faultPoint } from '../../platform/faults.ts'
import { UsageError } from '../call.ts'
import {
  dataRootMark,
  dataRootOf,
  type EnginePaths,
  enginePaths,
  pointDataRoot,
  startEngine,
  stopEngine,
  unmountBelow,
} from '../own-engine.ts'
import { tryLock, writePrivate } from '../state.ts'
import type { Care } from './index.ts'

const exec = promisify(execFile)

/** In a folder that is being filled: what lies in it is ours to throw away. */
const copyMark = '.berth-engine-copy'
const largeOutput = { maxBuffer: 64 * 1024 ** 2 }

/** The last move: what it left behind. */
const notePath = (stateDir: string): string => join(stateDir, 'engine-move.json')

/**
 * `berth engine move DIR`: stop, copy, verify, switch; the old data stays until `berth engine drop-old`. Until the switch,
 * which is one rename, the old data root is in use, whenever this is cut short; called again it begins the copy anew.
 */
export async function move(care: Care): Promise<number> {
  const { own, config, operand, out, cloudId } = care
  if (operand === undefined) throw new UsageError('berth engine move needs a DIR')
  if (!own) throw new CloudError('forbidden', "this engine is not ours; its data is its owner's to move")
  if (process.getuid?.() !== 0) throw new CloudError('forbidden', 'only root can move what root made')
  const lock = tryLock(config.stateDir)
  if (!lock) throw new CloudError('conflict', 'the cloud runs; stop it first: berth down')
  try {
    const from = own.kept
    const to = resolve(operand)
    if (to === from) {
      out(`the engine's data is in ${to} already`)
      return 0
    }
    const old = oldDataRoot(config.stateDir)
    if (old) throw new CloudError('conflict', `${old} still holds the data of before; first: berth engine drop-old`)
    checkTarget(from, to, cloudId)
    await checkRoom(from, to)
    const before = await quiet(own, out)
    await copy(from, to, cloudId, out)
    renameSync(join(to, copyMark), join(to, dataRootMark))
    await exec('sync', ['-f', to])
    faultPoint('engine.move.verified')
    writePrivate(notePath(config.stateDir), `${JSON.stringify({ old: from, to })}\n`)
    pointDataRoot(config.stateDir, to)
    faultPoint('engine.move.switched')
    await startOn(care, before, from)
    out(`the engine's data is in ${to}; servers run again with the next berth up`)
    out(`${from} is kept as it was; when all is well: berth engine drop-old`)
    return 0
  } finally {
    lock.release()
  }
}

/** `berth engine drop-old`: removes what the last move left behind. Repeatable. */
export async function dropOld({ own, config, out }: Care): Promise<number> {
  if (!own) throw new CloudError('forbidden', 'this engine is not ours')
  const old = oldDataRoot(config.stateDir)
  if (old) rmSync(old, { recursive: true, force: true })
  rmSync(notePath(config.stateDir), { force: true })
  out(old ? `removed: ${old}` : 'no move has left anything behind')
  return 0
}

/** Where the data was before; null when nothing was moved, or the note is of a move that never came to its switch. */
function oldDataRoot(stateDir: string): string | null {
  if (!existsSync(notePath(stateDir))) return null
  const { old, to } = JSON.parse(readFileSync(notePath(stateDir), 'utf8')) as { old: string; to: string }
  return to === dataRootOf(stateDir) && existsSync(old) ? old : null
}

function checkTarget(from: string, to: string, cloudId: string): void {
  if (`${to}/`.startsWith(`${from}/`) || `${from}/`.startsWith(`${to}/`)) {
    throw new CloudError('badRequest', `one of ${from} and ${to} lies in the other`)
  }
  if (!existsSync(to)) return
  const found = readdirSync(to)
  const mark = [copyMark, dataRootMark].map((name) => join(to, name)).find((path) => existsSync(path))
  const broken = mark !== undefined && readFileSync(mark, 'utf8').trim() === cloudId
  if (found.length > 0 && !broken) throw new CloudError('conflict', `${to} is not empty; name a new or an empty folder`)
  // Of a try that was cut short: not in use, as the switch never came.
  for (const name of found) rmSync(join(to, name), { recursive: true, force: true })
}

async function checkRoom(from: string, to: string): Promise<void> {
  const { stdout } = await exec('du', ['--summarize', '--block-size=1', '--one-file-system', from], largeOutput)
  const needed = Number(stdout.split(/\s/)[0])
  let place = to
  while (!existsSync(place)) place = dirname(place)
  const { bavail, bsize } = statfsSync(place)
  const mib = (bytes: number) => Math.ceil(bytes / 1024 ** 2)
  if (bavail * bsize > needed * 1.05) return
  const text = `${to} has room for ${mib(bavail * bsize)} MiB, and ${mib(needed)} MiB are to be moved`
  throw new CloudError('noSpace', text)
}

/** Stops servers and engine, so that nothing is written any more. Returns how many containers and images there are. */
async function quiet(own: EnginePaths, out: (line: string) => void): Promise<Counts> {
  await startEngine(own) // one that was killed has left servers running
  const engine = openEngine(own.socket)
  try {
    const signal = AbortSignal.timeout(600_000)
    const running = (await containers.list(engine, [], signal)).filter(({ State }) => State !== 'exited')
    for (const { Id, State } of running) if (State === 'paused') await containers.unpause(engine, Id, signal)
    await Promise.all(running.map(({ Id }) => containers.stop(engine, Id, 10, signal)))
    out(`stopped: ${running.length} servers`)
    return await counts(own)
  } finally {
    await engine.close()
    await stopEngine(own)
    await unmountBelow(own.data)
  }
}

interface Counts {
  containers: number
  images: number
}

async function counts({ socket }: EnginePaths): Promise<Counts> {
  const engine = openEngine(socket)
  try {
    const signal = AbortSignal.timeout(60_000)
    const [found, { Images }] = await Promise.all([containers.list(engine, [], signal), info(engine, signal)])
    return { containers: found.length, images: Images }
  } finally {
    await engine.close()
  }
}

/** Owners, modes, times, links, devices and extended attributes are all part of what layers are. */
async function copy(from: string, to: string, cloudId: string, out: (line: string) => void): Promise<void> {
  mkdirSync(to, { recursive: true, mode: 0o711 })
  writeFileSync(join(to, copyMark), `${cloudId}\n`, { mode: 0o600, flush: true })
  faultPoint('engine.move.copying')
  const preserve = '--preserve=mode,ownership,timestamps,links,xattr'
  await exec('cp', ['--recursive', '--no-dereference', '--sparse=auto', preserve, `${from}/.`, `${to}/`], largeOutput)
  // The mark of an earlier move came along; this copy is not in use yet.
  rmSync(join(to, dataRootMark), { force: true })
  faultPoint('engine.move.copied')
  const script =
    'set -o pipefail; tar --directory "$1" --create --numeric-owner --exclude "./$3" --exclude "./$4" --file - . | tar --directory "$2" --compare --numeric-owner --file -'
  await exec('bash', ['-c', script, 'verify', from, to, copyMark, dataRootMark], largeOutput).catch(
    (error: unknown) => {
      const said = (error as { stdout?: string }).stdout?.trim().split('\n').slice(0, 3).join('; ')
      throw new CloudError('internal', `the copy is not as the original: ${said || messageOf(error)}`, { cause: error })
    },
  )
  out('copied and compared')
}

/** On the new data; when that will not do, back on the old. */
async function startOn({ config, cloudId }: Care, before: Counts, from: string): Promise<void> {
  try {
    const own = enginePaths(config.stateDir, cloudId)
    await startEngine(own)
    const after = await counts(own)
    if (after.containers === before.containers && after.images === before.images) return
    throw new CloudError('internal', `it shows ${after.containers} containers and ${after.images} images`)
  } catch (error) {
    const own = enginePaths(config.stateDir, cloudId)
    await stopEngine(own)
    await unmountBelow(own.data)
    pointDataRoot(config.stateDir, from)
    await startEngine(enginePaths(config.stateDir, cloudId))
    const text = `the engine does not do with the moved data (${messageOf(error)}); it is back on ${from}`
    throw new CloudError('internal', text, { cause: error })
  }
}
