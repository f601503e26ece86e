import assert from 'node:assert/strict'
import { test } from 'node:test'
import { latest, startComputeCloud } from '../../../../test/support/compute.ts'
import { eachDatabase } from '../../../../test/support/databases.ts'

eachDatabase((engine, open) => {
  test(`a server becomes ACTIVE, is seen by its project only, and goes without a trace (${engine})`, async (t) => {
    const cloud = await startComputeCloud(t, { open })
    const created = await cloud.create('demo', { metadata: { a: 'b' } })
    assert.equal(created.status, 202, JSON.stringify(created.body))
    const { id, adminPass, security_groups, links } = created.body.server
    assert.equal(created.headers.location, links[0].href)
    assert.equal(adminPass.length, 12)
    assert.deepEqual(security_groups, [{ name: 'default' }])

    const building = await cloud.show('demo', id)
    assert.ok(['BUILD', 'ACTIVE'].includes(building.status))
    await cloud.settle()
    const active = await cloud.show('demo', id)
    assert.equal(active.status, 'ACTIVE', JSON.stringify(active))
    assert.equal(active['OS-EXT-STS:power_state'], 1)
    assert.equal(active['OS-EXT-STS:task_state'], null)
    assert.deepEqual(active.metadata, { a: 'b' })
    assert.deepEqual(active.flavor, {
      ...{ vcpus: 1, ram: 512, disk: 1, ephemeral: 0, swap: 0, original_name: 'm1.tiny', extra_specs: {} },
    })
    assert.equal(active['OS-EXT-SRV-ATTR:host'], undefined)
    assert.equal((await cloud.show('admin', id))['OS-EXT-SRV-ATTR:host'], 'host1')

    const list = await cloud.as('demo').get('compute', '/v2.1/servers/detail', latest)
    assert.deepEqual(
      list.body.servers.map((server: { id: string }) => server.id),
      [id],
    )
    const foreign = await cloud.boot('admin')
    for (const [method, path] of [
      ['GET', ''],
      ['PUT', ''],
      ['DELETE', ''],
      ['POST', '/action'],
      ['GET', '/metadata'],
      ['GET', '/os-instance-actions'],
    ] as const) {
      const body = method === 'POST' ? { pause: null } : method === 'PUT' ? { server: { name: 'mine' } } : undefined
      const answer = await cloud.as('demo').call(method, 'compute', `/v2.1/servers/${foreign}${path}`, body)
      assert.equal(answer.status, 404, `${method} ${path}: ${JSON.stringify(answer.body)}`)
    }
    await cloud.as('admin').delete('compute', `/v2.1/servers/${foreign}`)
    await cloud.settle()
    const others = await cloud.as('admin').get('compute', '/v2.1/servers', latest)
    assert.deepEqual(others.body.servers, [])
    const everybodys = await cloud.as('admin').get('compute', '/v2.1/servers?all_tenants=1', latest)
    assert.equal(everybodys.body.servers.length, 1)

    assert.equal((await cloud.as('demo').delete('compute', `/v2.1/servers/${id}`)).status, 204)
    await cloud.settle()
    assert.equal((await cloud.as('demo').get('compute', `/v2.1/servers/${id}`)).status, 404)
    assert.deepEqual(await cloud.drivers[0]!.list(new AbortController().signal), [])
    const { usages } = cloud.control.services.placement
    assert.deepEqual([...(await usages(cloud.database.read))], [])
  })
})
