import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eachDatabase } from '../../../../test/support/databases.ts'
import { type MeterReadings, type RouterOrder, subjects } from '../messages.ts'
import { startNetwork } from '../test-support.ts'

eachDatabase((engine, open) => {
  test(`${engine}: labels are made, told to the hosts of routers, and add up what those count`, async (t) => {
    const cloud = await startNetwork(t, { open })
    const [admin, alice] = [cloud.as('admin'), cloud.as('alice')]
    const { bus, database } = cloud.ground
    const told: RouterOrder[] = []
    bus.subscribe<RouterOrder>(subjects.router('node1'), (order) => void told.push(order))
    cloud.addHost('node1')
    await alice.make('routers', {})
    const path = 'metering/metering-labels'
    assert.equal((await alice.post(path, { metering_label: { name: 'mine' } })).status, 403)
    const label = (await admin.post(path, { metering_label: { name: 'l', project_id: 'alice' } })).body.metering_label
    const foreign = (await admin.post(path, { metering_label: { name: 'f', project_id: 'bob' } })).body.metering_label
    const rule = (values: object) =>
      admin.post('metering/metering-label-rules', { metering_label_rule: { metering_label_id: label.id, ...values } })
    const made = await rule({ remote_ip_prefix: '10.0.0.0/24', direction: 'egress' })
    assert.equal(made.body.metering_label_rule.excluded, false)
    assert.equal((await rule({ remote_ip_prefix: '10.0.0.0/25', direction: 'egress' })).status, 409)
    assert.equal((await rule({ direction: 'egress' })).status, 400)
    assert.equal((await rule({ remote_ip_prefix: 'fd00::/8', source_ip_prefix: '10.0.0.0/8' })).status, 400)
    assert.equal((await rule({ metering_label_id: crypto.randomUUID(), remote_ip_prefix: '10.0.0.0/24' })).status, 404)
    await cloud.settle()
    assert.deepEqual(
      told.at(-1)?.meters?.map(({ labelId, rules }) => [labelId, rules.length]),
      [[label.id, 1]],
    )
    assert.equal((await alice.get(`${path}/${label.id}`)).status, 200)
    assert.equal((await alice.get(`${path}/${foreign.id}`)).status, 404)
    const report = { host: 'node1', readings: [{ labelId: label.id, packets: 3, bytes: 300 }] } satisfies MeterReadings
    for (let i = 0; i < 2; i++) bus.publish(subjects.meters, report)
    await bus.idle()
    const rows = await database.read.selectFrom('network_metering_labels').selectAll().where('name', '=', 'l').execute()
    assert.deepEqual([Number(rows[0]?.packets), Number(rows[0]?.bytes)], [6, 600])
    assert.equal((await admin.delete(`${path}/${label.id}`)).status, 204)
    await cloud.settle()
    assert.deepEqual(told.at(-1)?.meters, [])
    assert.deepEqual((await admin.get('metering/metering-label-rules')).body.metering_label_rules, [])
  })
})
