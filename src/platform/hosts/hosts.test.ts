import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eachDatabase } from '../../../test/support/databases.ts'
import { createLocalBus } from '../bus/local.ts'
import { type Clock, isoOf } from '../clock.ts'
import { migrate } from '../db/migrate.ts'
import { newLogger } from '../log.ts'
import { createHosts } from './hosts.ts'
import { type Heartbeat, heartbeatSubject } from './messages.ts'
import { hostMigrations } from './tables.ts'

const log = newLogger('silent')
const startedAt = '2026-11-21T09:00:00.000000Z'
const beatOf = (host: string, facts = {}, more: Partial<Heartbeat> = {}): Heartbeat => {
  return { host, role: 'compute', startedAt, facts, ...more }
}

eachDatabase((name, open) => {
  test(`${name}: heartbeats become rows, and news of them is told once`, async (t) => {
    const database = await open(t)
    await migrate(database, [{ service: 'hosts', migrations: hostMigrations }])
    const bus = createLocalBus(log)
    let ms = Date.parse('2026-11-21T10:00:00Z')
    const clock: Clock = { nowMs: () => ms, now: () => isoOf(ms) }
    const hosts = createHosts(database, bus, clock, log)
    const changes: string[] = []
    hosts.onChange((host) => changes.push(`${host.name} ${host.role}`))
    const beat = async (heartbeat: Heartbeat) => {
      bus.publish(heartbeatSubject, heartbeat)
      await bus.idle()
      return changes.splice(0)
    }

    assert.deepEqual(await beat(beatOf('n2', { vcpus: 4 })), ['n2 compute'])
    assert.deepEqual(await beat(beatOf('n1', {}, { role: 'network' })), ['n1 network'])
    ms += 10_000
    assert.deepEqual(await beat(beatOf('n2', { vcpus: 4 })), [], 'nothing new')
    assert.deepEqual(await beat(beatOf('n2', { vcpus: 8 })), ['n2 compute'], 'other facts')
    assert.deepEqual(await beat(beatOf('n2', { vcpus: 8 }, { startedAt: clock.now() })), ['n2 compute'], 'a restart')

    const host = await hosts.get('n2', 'compute')
    const facts = { vcpus: 8 }
    assert.deepEqual(host, { name: 'n2', role: 'compute', startedAt: clock.now(), seenAt: clock.now(), facts })
    assert.deepEqual(
      (await hosts.list()).map((h) => h.name),
      ['n1', 'n2'],
    )
    assert.deepEqual(
      (await hosts.list('network')).map((h) => h.name),
      ['n1'],
    )
    await assert.rejects(hosts.get('n2', 'storage'), { kind: 'notFound' })

    ms += 60_000
    assert.equal(hosts.isUp(host), true)
    ms += 1
    assert.equal(hosts.isUp(host), false)
    assert.deepEqual(await beat(beatOf('n2', facts, { startedAt: host.startedAt })), ['n2 compute'], 'back again')
    hosts.close()
    assert.deepEqual(await beat(beatOf('n3')), [])
  })
})
