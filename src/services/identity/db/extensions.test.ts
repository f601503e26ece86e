import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eachDatabase } from '../../../../test/support/databases.ts'
import { migrate } from '../../../platform/db/migrate.ts'
import * as catalogRows from './catalog.ts'
import * as optionRows from './domain-options.ts'
import * as filterRows from './endpoint-filters.ts'
import * as limitRows from './limits.ts'
import { migrations } from './migrations/index.ts'
import * as policyRows from './policies.ts'
import * as projectRows from './projects.ts'

const all = { filters: [], marker: null, limit: null }
const project = (id: string, isDomain: boolean): projectRows.Project => ({
  id,
  name: id,
  domainId: isDomain ? null : 'd1',
  parentId: isDomain ? null : 'd1',
  isDomain,
  enabled: true,
  description: '',
  tags: [],
  options: {},
  extra: {},
})

eachDatabase((name, open) => {
  test(`${name}: what belongs to a project, an endpoint or a service goes with it`, async (t) => {
    const database = await open(t)
    await migrate(database, [{ service: 'identity', migrations }])
    const { read, write } = database
    const service = { id: 's1', type: 't', name: null, description: null, enabled: true, extra: {} }
    const endpoint = {
      id: 'e1',
      serviceId: 's1',
      regionId: null,
      interface: 'public',
      url: 'u',
      enabled: true,
      extra: {},
    }
    const registered = {
      id: 'r1',
      serviceId: 's1',
      regionId: null,
      resourceName: 'x',
      defaultLimit: 2,
      description: null,
    }
    const limit = {
      id: 'l1',
      registeredLimitId: 'r1',
      projectId: 'p1',
      domainId: null,
      resourceLimit: 3,
      description: 'd',
    }
    await write(async (trx) => {
      await projectRows.insert(trx, project('d1', true))
      await projectRows.insert(trx, project('p1', false))
      await catalogRows.insertService(trx, service)
      await catalogRows.insertEndpoint(trx, endpoint)
      await policyRows.insert(trx, { id: 'y1', type: 't', blob: 'b', extra: { a: 1 } })
      await policyRows.insert(trx, { id: 'y2', type: 't', blob: 'b', extra: {} })
      await policyRows.associate(trx, 'y1', { endpointId: 'e1' })
      await policyRows.associate(trx, 'y2', { endpointId: 'e1' })
      await filterRows.insertGroup(trx, { id: 'g1', name: 'g', description: null, filters: { interface: 'public' } })
      assert.equal(await filterRows.addGroup(trx, 'p1', 'g1'), true)
      assert.equal(await filterRows.addGroup(trx, 'p1', 'g1'), false)
      assert.equal(await filterRows.addEndpoint(trx, 'p1', 'e1'), true)
      assert.equal(await filterRows.addEndpoint(trx, 'p1', 'e1'), false)
      assert.equal(await limitRows.insertRegistered(trx, registered), true)
      assert.equal(await limitRows.insertRegistered(trx, { ...registered, id: 'r2' }), false)
      assert.equal(await limitRows.insert(trx, limit), true)
      assert.equal(await limitRows.insert(trx, { ...limit, id: 'l2' }), false)
      const option = { group: 'ldap', option: 'url', value: ['a'], sensitive: false }
      await optionRows.put(trx, 'd1', option)
      await optionRows.put(trx, 'd1', { ...option, value: { b: null } })
    })
    assert.equal(await policyRows.policyIdAt(read, { endpointId: 'e1' }), 'y2')
    assert.deepEqual(await policyRows.find(read, 'y1'), { id: 'y1', type: 't', blob: 'b', extra: { a: 1 } })
    assert.deepEqual((await optionRows.list(read, 'd1', 'ldap', 'url'))[0]?.value, { b: null })
    const found = { ...limit, serviceId: 's1', regionId: null, resourceName: 'x' }
    assert.deepEqual(await limitRows.list(read, all, { domainId: 'd1' }), [found])
    assert.deepEqual(await limitRows.list(read, all, { domainId: 'd2' }), [])
    assert.deepEqual(await limitRows.list(read, { ...all, marker: 'l1' }), [])
    assert.equal((await filterRows.groupsOf(read, 'p1'))[0]?.id, 'g1')

    await write((trx) => catalogRows.removeEndpoint(trx, 'e1'))
    assert.equal(await policyRows.policyIdAt(read, { endpointId: 'e1' }), undefined)
    assert.deepEqual(await filterRows.endpointIdsOf(read, 'p1'), [])
    await write((trx) => projectRows.remove(trx, ['p1', 'd1']))
    assert.deepEqual(await limitRows.list(read, all), [])
    assert.deepEqual(await optionRows.list(read, 'd1'), [])
    assert.deepEqual(await filterRows.groupsOf(read, 'p1'), [])
    await write((trx) => catalogRows.removeService(trx, 's1'))
    assert.deepEqual(await limitRows.listRegistered(read, all), [])
  })
})
