import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { pino } from 'pino'
import type { Config } from '../config.ts'
import type { Membership } from '../hosts-door.ts'
import { CloudError, messageOf } from '../platform/errors.ts'
import { request } from '../platform/http/client.ts'
import { newLogger } from '../platform/log.ts'
import { type Call, configOf, UsageError } from './call.ts'
import { askControl } from './control-socket.ts'
import { detach } from './detach.ts'
import { ensureEngine } from './engine.ts'
import { stopEngine, watchEngine } from './own-engine.ts'
import { type Progress, toPipe, toTerminal } from './progress.ts'
import { ensureStateDir, findCloudId, statePaths, tryLock, writePid, writePrivate, writeStarted } from './state.ts'
import { ensureTools } from './tools.ts'

const usage = [
  'berth host token NAME          where control runs: a one-time word for a machine that is to be host NAME',
  'berth host join URL TOKEN [-d] on that machine: let it in, and run its roles; URL is http://<control>:8779',
  'berth host up [-d]             run the roles of a machine that has joined before',
  '  all take --state-dir DIR and --config FILE; `berth down` and `berth destroy` are for hosts too',
].join('\n')

const options = {
  detach: { type: 'boolean', short: 'd' },
  follow: { type: 'boolean' },
  'state-dir': { type: 'string' },
  config: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

/** What a joined host keeps of control's answer, and where control is. */
interface Joined extends Membership {
  control: string
}

/** `berth host …`: machines that carry servers for a cloud whose control is elsewhere. */
export async function run(call: Call): Promise<number> {
  const { values, positionals } = parsed(call.words)
  const [verb, ...words] = positionals
  const flags = { 'state-dir': values['state-dir'], config: values.config }
  const config = configOf({ ...call, flags })
  if (values.help) call.out(usage)
  else if (verb === 'token' && words.length === 1) return await token(config, words[0]!, call)
  else if (verb === 'join' && words.length === 2) {
    await join(config, words[0]!, words[1]!)
    return await start(config, call, values)
  } else if (verb === 'up' && words.length === 0) return await start(config, call, values)
  else throw new UsageError(`it is called so:\n${usage}`)
  return 0
}

function parsed(words: readonly string[]) {
  try {
    return parseArgs({ args: [...words], options, strict: true, allowPositionals: true })
  } catch (error) {
    throw new UsageError(messageOf(error).split('. ')[0] ?? '', { cause: error })
  }
}

async function token(config: Config, host: string, call: Call): Promise<number> {
  if (!/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(host)) throw new UsageError(`'${host}' is no host name`)
  const said = await askControl<{ token: string }>(config.stateDir, 'host-token', host)
  if (said.state !== 'up')
    throw new CloudError('unavailable', `the cloud in ${config.stateDir} does not run; run: berth up -d`)
  call.out(said.answer.token)
  return 0
}

const fileOf = (config: Config): string => `${config.stateDir}/host.json`

/** Uses the token up, and keeps what control answers. */
async function join(config: Config, url: string, word: string): Promise<void> {
  const door = URL.canParse(url) ? new URL('/join', url) : null
  if (!door) throw new UsageError(`'${url}' is no address such as http://control:8779`)
  const { statusCode, body } = await request(door, { method: 'POST', body: JSON.stringify({ token: word }) }).catch(
    (error) => {
      throw new CloudError('unavailable', `control does not answer on ${url}: ${messageOf(error)}`, { cause: error })
    },
  )
  const answer = (await body.json()) as Membership & { message?: string }
  if (statusCode !== 200) throw new CloudError('forbidden', `control does not let this machine in: ${answer.message}`)
  const known = findCloudId(config.stateDir)
  if (known !== undefined && known !== answer.cloudId)
    throw new CloudError('conflict', `${config.stateDir} is of another cloud (${known})`)
  ensureStateDir(config.stateDir)
  writePrivate(statePaths(config.stateDir).cloudId, `${answer.cloudId}\n`)
  const joined: Joined = { ...answer, control: door.hostname.replace(/^\[|\]$/g, '') }
  writePrivate(fileOf(config), `${JSON.stringify(joined, null, 2)}\n`)
}

async function start(config: Config, call: Call, values: { detach?: boolean; follow?: boolean }): Promise<number> {
  if (process.getuid?.() !== 0) throw new CloudError('forbidden', 'a host needs root, to make networks and containers')
  if (!existsSync(fileOf(config)))
    throw new CloudError('notFound', `no host has joined from ${config.stateDir}; run: berth host join URL TOKEN`)
  if (values.detach) return detach(config, call, ['host', 'up', '--follow', '--state-dir', config.stateDir])
  if (values.follow) process.chdir('/')
  const progress = values.follow ? toPipe(3) : toTerminal(call.out, call.err)
  try {
    await foreground(config, progress)
    return 0
  } catch (error) {
    progress.failed(error instanceof CloudError ? messageOf(error) : String((error as Error).stack ?? error), 1)
    return 1
  }
}

async function foreground(config: Config, progress: Progress): Promise<void> {
  const lock = tryLock(config.stateDir)
  if (!lock) throw new CloudError('conflict', `another process holds ${config.stateDir}`)
  const asked = Promise.race(['SIGTERM', 'SIGINT'].map((name) => once(process, name)))
  try {
    await ensureTools({ ownEngine: config.engineOwn, say: progress.step })
    await roles(config, progress, asked)
  } finally {
    lock.release()
  }
}

async function roles(config: Config, progress: Progress, asked: Promise<unknown>): Promise<void> {
  const { control, ...membership } = JSON.parse(readFileSync(fileOf(config), 'utf8')) as Joined
  const { host, portBase, publicNat, metadataProxySharedSecret } = membership
  const known = { ...config, host, portBase, publicNat, metadataProxySharedSecret, bind: '127.0.0.1' }
  const log = newLogger(config.logLevel, pino.destination({ dest: statePaths(config.stateDir).log, append: true }))
  writePid(config.stateDir)
  writeStarted(config.stateDir, { engineSocket: config.engineSocket, registryHost: '' })
  const engine = await ensureEngine(config, membership.cloudId, progress.step)
  progress.step(`engine: ${engine.description}`)
  const stopWatching = engine.own ? watchEngine(engine.own, log) : () => {}
  try {
    const { startJoinedHost } = await import('../joined-host.ts')
    const joined = await startJoinedHost({ ...known, engineSocket: engine.socket }, membership, control, log)
    progress.ready([`host ${host} runs for the cloud of ${control}`])
    await asked
    await joined.stop()
  } catch (error) {
    if (engine.own && engine.startedNow) await stopEngine(engine.own)
    throw error
  } finally {
    stopWatching()
  }
}
