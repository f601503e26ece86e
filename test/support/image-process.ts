import { systemContext } from '../../src/platform/auth/context.ts'
import { openFileBlobs } from '../../src/platform/blobs/file-store.ts'
import { createLocalBus } from '../../src/platform/bus/local.ts'
import { isoOf, systemClock } from '../../src/platform/clock.ts'
import { openSqlite } from '../../src/platform/db/sqlite.ts'
import { armFault } from '../../src/platform/faults.ts'
import { newLogger } from '../../src/platform/log.ts'
import { createImage } from '../../src/services/image/index.ts'
import { createRegistry } from '../../src/services/registry/index.ts'
import { testConfig } from './ground.ts'
import { layerOf, savedArchive, testIdentity } from './image.ts'
import { digestOf, registryClient } from './push.ts'

/**
 * A process of its own, to be killed: `node image-process.ts STATE_DIR FAULT (upload | import | push | collect | delete ID)`.
 * Works on a migrated database `test.sqlite` in the state directory.
 */
const [stateDir = '', fault = '', verb = '', id = ''] = process.argv.slice(2)
const log = newLogger('silent')
const later = () => Date.now() + 48 * 3_600_000
const tomorrow = { nowMs: later, now: () => isoOf(later()) }
const ground = {
  config: { ...testConfig, stateDir },
  cloudId: '0badc10d',
  database: await openSqlite(`${stateDir}/test.sqlite`),
  bus: createLocalBus(log),
  blobs: await openFileBlobs(`${stateDir}/blobs`, log),
  nudge: () => {},
  policyOverrides: {},
  log,
  clock: verb === 'collect' ? tomorrow : systemClock,
}
const ctx = systemContext('req-child', { id: 'alpha', domainId: 'default' })
const identity = testIdentity(() => ctx)
const registry = await createRegistry(ground, identity)
const image = createImage(ground, identity, registry)
armFault(fault)
const call = async (method: 'POST' | 'PUT' | 'DELETE', url: string, type: string, payload: string | Buffer) =>
  (await image.app!.inject({ method, url, headers: { 'x-auth-token': 'x', 'content-type': type }, payload })).body
if (verb === 'upload') {
  const attributes = JSON.stringify({ container_format: 'docker', disk_format: 'raw', name: 'crash' })
  const made = JSON.parse(await call('POST', '/v2/images', 'application/json', attributes))
  const archive = await savedArchive([await layerOf('hello', 'world')])
  await call('PUT', `/v2/images/${made.id}/file`, 'application/octet-stream', archive)
}
if (verb === 'import') {
  const attributes = JSON.stringify({ container_format: 'docker', disk_format: 'raw', name: 'crash' })
  const made = JSON.parse(await call('POST', '/v2/images', 'application/json', attributes))
  const archive = await savedArchive([await layerOf('hello', id || 'world')])
  const data = id === 'broken' ? Buffer.from('no archive') : archive
  await call('PUT', `/v2/images/${made.id}/stage`, 'application/octet-stream', data)
  await call('POST', `/v2/images/${made.id}/import`, 'application/json', '{"method":{"name":"glance-direct"}}')
  for (const loop of image.loops) await loop.run(AbortSignal.timeout(30_000))
}
if (verb === 'delete') await call('DELETE', `/v2/images/${id}`, 'application/json', '')
if (verb === 'push') {
  const client = registryClient(registry.app!, 'x')
  const location = String((await client.call('POST', '/v2/alpha/app/blobs/uploads/')).headers.location)
  const octets = { 'content-type': 'application/octet-stream' }
  for (const body of ['first ', 'second']) await client.call('PATCH', location, { body, headers: octets })
  await client.call('PUT', `${location}?digest=${digestOf('first second')}`)
  await client.image('alpha/app', 'v1', 'text')
}
if (verb === 'unpush') await registryClient(registry.app!, 'x').call('DELETE', '/v2/alpha/app/manifests/v1')
if (verb === 'collect') for (const loop of registry.loops) await loop.run(AbortSignal.timeout(30_000))
await ground.database.close()
