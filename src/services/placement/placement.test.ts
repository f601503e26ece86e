import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eachDatabase } from '../../../test/support/databases.ts'
import { testGround } from '../../../test/support/ground.ts'
import { createPlacement, placementMigrations } from './index.ts'

const has = (vcpus: number, memoryMiB: number) =>
  new Map([
    ['VCPU', { total: vcpus, reserved: 0, allocationRatio: 1 }],
    ['MEMORY_MB', { total: memoryMiB, reserved: 0, allocationRatio: 1 }],
  ])
const resources = new Map([
  ['VCPU', 1],
  ['MEMORY_MB', 100],
  ['DISK_GB', 0],
])
const owner = { projectId: 'p', userId: 'u', resources }

eachDatabase((engine, open) => {
  test(`100 claims at once for the last 7 places: exactly 7 are had (${engine})`, async (t) => {
    const ground = await testGround(t, [placementMigrations], { open })
    const placement = createPlacement(ground, { authenticate: () => null })
    await placement.recordHost('a', has(3, 1000))
    await placement.recordHost('b', has(4, 1000))
    const claims = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        ground.database.write((trx) =>
          placement.claim(trx, { ...owner, consumerIds: [`c${i}`], candidates: ['a', 'b'] }),
        ),
      ),
    )
    assert.equal(claims.filter(({ placed }) => placed.size === 1).length, 7)
    const refused = claims.find(({ placed }) => placed.size === 0)
    assert.deepEqual(refused?.refusals, [
      { host: 'a', resourceClass: 'VCPU', wanted: 1, free: 0, capacity: 3 },
      { host: 'b', resourceClass: 'VCPU', wanted: 1, free: 0, capacity: 4 },
    ])
    assert.equal((await placement.usages(ground.database.read, 'p')).get('VCPU'), 7)

    for (let i = 0; i < 100; i++) await ground.database.write((trx) => placement.release(trx, `c${i}`))
    assert.equal((await placement.usages(ground.database.read)).size, 0)
    const providers = await placement.providers(ground.database.read)
    for (const { rooms } of providers) for (const room of rooms.values()) assert.equal(room.used, 0)
  })
})

test('several at once spread over the hosts, and say what was lacking when not all fit', async (t) => {
  const ground = await testGround(t, [placementMigrations])
  const placement = createPlacement(ground, { authenticate: () => null })
  await placement.recordHost('a', has(8, 250))
  await placement.recordHost('b', has(8, 190))
  const claimed = await ground.database.write((trx) =>
    placement.claim(trx, { ...owner, consumerIds: ['1', '2', '3', '4', '5'], candidates: ['a', 'b'] }),
  )
  assert.deepEqual(
    [...claimed.placed],
    [
      ['1', 'a'],
      ['2', 'b'],
      ['3', 'a'],
    ],
  )
  assert.deepEqual(claimed.refusals, [
    { host: 'a', resourceClass: 'MEMORY_MB', wanted: 100, free: 50, capacity: 250 },
    { host: 'b', resourceClass: 'MEMORY_MB', wanted: 100, free: 90, capacity: 190 },
  ])
})

test('a host that shrinks keeps what it holds, and takes no more', async (t) => {
  const ground = await testGround(t, [placementMigrations])
  const placement = createPlacement(ground, { authenticate: () => null })
  await placement.recordHost('a', has(8, 1000))
  const claim = (id: string) =>
    ground.database.write((trx) => placement.claim(trx, { ...owner, consumerIds: [id], candidates: ['a'] }))
  await claim('1')
  await claim('2')
  await placement.recordHost('a', has(1, 1000))
  assert.deepEqual((await claim('3')).refusals, [
    { host: 'a', resourceClass: 'VCPU', wanted: 1, free: -1, capacity: 1 },
  ])
})
