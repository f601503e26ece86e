import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eachDatabase } from '../../../../test/support/databases.ts'
import { startNetwork } from '../test-support.ts'

eachDatabase((engine, open) => {
  test(`${engine}: a network shared with one project, with all, and with nobody any more`, async (t) => {
    const { as } = await startNetwork(t, { open })
    const [admin, alice, bob] = [as('admin'), as('alice'), as('bob')]
    const network = await alice.make('networks', { name: 'n' })
    const subnet = await alice.make('subnets', { network_id: network.id, ip_version: 4, cidr: '10.0.0.0/24' })
    const policy = { object_type: 'network', object_id: network.id, action: 'access_as_shared' }
    const url = `networks/${network.id}`
    assert.equal((await bob.get(url)).status, 404)
    const made = await alice.make('rbac-policies', { ...policy, target_tenant: 'bob' })
    assert.equal((await bob.get(url)).body.network.shared, true)
    assert.equal((await alice.get(url)).body.network.shared, false)
    assert.equal((await bob.get(`subnets/${subnet.id}`)).status, 200)
    assert.equal((await bob.get('networks?shared=True')).body.networks.length, 1)
    assert.equal((await admin.get('networks?shared=True')).body.networks.length, 0)
    assert.equal((await bob.get('rbac-policies')).body.rbac_policies.length, 0)
    assert.equal((await bob.put(url, { network: { name: 'mine' } })).status, 403)

    const port = await bob.make('ports', { network_id: network.id })
    const inUse = await alice.delete(`rbac-policies/${made.id}`)
    assert.deepEqual([inUse.status, inUse.body.NeutronError.type], [409, 'RbacPolicyInUse'])
    const again = await alice.post('rbac-policies', { rbac_policy: { ...policy, target_tenant: 'bob' } })
    assert.deepEqual([again.status, again.body.NeutronError.type], [409, 'DuplicateRbacPolicy'])
    assert.equal((await alice.post('rbac-policies', { rbac_policy: { ...policy, target_tenant: '*' } })).status, 403)
    assert.equal((await bob.post('rbac-policies', { rbac_policy: { ...policy, target_tenant: 'rob' } })).status, 400)
    const all = await admin.make('rbac-policies', { ...policy, target_tenant: '*' })
    assert.equal((await alice.delete(`rbac-policies/${made.id}`)).status, 204, 'the other policy still lets bob')
    assert.equal((await alice.get(url)).body.network.shared, true)
    assert.equal((await admin.delete(`rbac-policies/${all.id}`)).status, 409)
    assert.equal((await alice.delete(`ports/${port.id}`)).status, 204, 'the owner of a network may clear it')
    assert.equal((await admin.put(url, { network: { shared: false } })).status, 200)
    assert.deepEqual((await admin.get('rbac-policies')).body.rbac_policies, [])
    assert.equal((await bob.get(url)).status, 404)
    for (const bad of [
      { ...policy, target_tenant: null },
      { ...policy, target_tenant: 'x'.repeat(300) },
      { ...policy, object_type: 'router', target_tenant: 'bob' },
      { ...policy, action: 'access_as_pet', target_tenant: 'bob' },
    ]) {
      assert.equal((await alice.post('rbac-policies', { rbac_policy: bad })).status, 400, JSON.stringify(bad))
    }
  })

  test(`${engine}: a way out for some projects only`, async (t) => {
    const { as } = await startNetwork(t, { open })
    const [admin, alice, bob] = [as('admin'), as('alice'), as('bob')]
    const outside = await admin.make('networks', { name: 'outside' })
    await admin.make('subnets', { network_id: outside.id, ip_version: 4, cidr: '198.51.100.0/24' })
    const policy = { object_type: 'network', object_id: outside.id, action: 'access_as_external' }
    const made = await admin.make('rbac-policies', { ...policy, target_tenant: 'alice' })
    assert.equal((await admin.get(`networks/${outside.id}`)).body.network['router:external'], true)
    const gateway = { router: { external_gateway_info: { network_id: outside.id } } }
    assert.equal((await bob.post('routers', gateway)).status, 404)
    const router = (await alice.post('routers', gateway)).body.router
    assert.equal((await alice.post('floatingips', { floatingip: { floating_network_id: outside.id } })).status, 201)
    assert.equal((await bob.get(`networks/${outside.id}`)).status, 404)
    assert.equal((await alice.get(`networks/${outside.id}`)).status, 200)
    assert.equal((await alice.post('ports', { port: { network_id: outside.id } })).status, 201)
    assert.equal((await admin.delete(`rbac-policies/${made.id}`)).status, 409)
    const moved = await admin.put(`rbac-policies/${made.id}`, { rbac_policy: { target_tenant: 'bob' } })
    assert.equal(moved.status, 409)
    await alice.delete(`routers/${router.id}`)
    const [floating] = (await alice.get('floatingips')).body.floatingips
    await alice.delete(`floatingips/${floating.id}`)
    assert.equal((await admin.delete(`rbac-policies/${made.id}`)).status, 204)
    assert.equal((await admin.get(`networks/${outside.id}`)).body.network['router:external'], false)
    const open2 = await admin.make('networks', { name: 'open', 'router:external': true })
    const wildcards = (await admin.get(`rbac-policies?object_id=${open2.id}&target_tenant=*`)).body.rbac_policies
    assert.deepEqual([wildcards.length, wildcards[0].action], [1, 'access_as_external'])
    await admin.put(`networks/${open2.id}`, { network: { 'router:external': false } })
    assert.deepEqual((await admin.get(`rbac-policies?object_id=${open2.id}`)).body.rbac_policies, [])
  })

  test(`${engine}: tags are set, found and removed, and a change may ask for the revision it knows`, async (t) => {
    const { as } = await startNetwork(t, { open })
    const [alice, bob] = [as('alice'), as('bob')]
    const ids: string[] = []
    for (const tags of [['red'], ['red', 'blue'], ['red', 'blue', 'green'], ['green'], ['Red']]) {
      const { id } = await alice.make('networks', {})
      assert.deepEqual((await alice.put(`networks/${id}/tags`, { tags })).body.tags, tags)
      ids.push(id)
    }
    const found = async (query: string) => {
      const networks: { id: string }[] = (await alice.get(`networks?${query}`)).body.networks
      return networks.map(({ id }) => ids.indexOf(id)).sort()
    }
    assert.deepEqual(await found('tags=red'), [0, 1, 2])
    assert.deepEqual(await found('tags=red,blue'), [1, 2])
    assert.deepEqual(await found('tags-any=blue,green'), [1, 2, 3])
    assert.deepEqual(await found('not-tags=red,blue'), [0, 3, 4])
    assert.deepEqual(await found('not-tags-any=red,blue'), [3, 4])
    const one = `networks/${ids[0]}/tags`
    assert.equal((await alice.put(`${one}/black.or.white`, undefined)).status, 201)
    assert.equal((await alice.put(`${one}/red`, undefined)).status, 201)
    assert.deepEqual((await alice.get(one)).body.tags, ['red', 'black.or.white'])
    assert.equal((await alice.get(`${one}/red`)).status, 204)
    assert.equal((await alice.get(`${one}/blue`)).body.NeutronError.type, 'TagNotFound')
    assert.equal((await alice.delete(`${one}/red`)).status, 204)
    assert.equal((await alice.delete(`${one}/red`)).status, 404)
    assert.equal((await alice.delete(one)).status, 204)
    assert.deepEqual((await alice.get(one)).body.tags, [])
    assert.equal((await bob.get(one)).status, 404)
    for (const tags of [['a', 'a'], 'a', ['a,b'], ['x'.repeat(256)], [1]]) {
      assert.equal((await alice.put(one, { tags })).status, 400, JSON.stringify(tags))
    }

    const network = (await alice.get(`networks/${ids[0]}`)).body.network
    const rename = (revision: number) =>
      alice.put(`networks/${network.id}`, { network: { name: 'x' } }, { 'if-match': `revision_number=${revision}` })
    const stale = await rename(network.revision_number - 1)
    assert.deepEqual([stale.status, stale.body.NeutronError.type], [412, 'RevisionNumberConstraintFailed'])
    const both = await Promise.all([rename(network.revision_number), rename(network.revision_number)])
    assert.deepEqual(both.map(({ status }) => status).sort(), [200, 412])
    assert.equal((await alice.put(`networks/${network.id}`, { network: {} }, { 'if-match': 'etag' })).status, 400)
  })
})

test('every resource that can be tagged and shared is', async (t) => {
  const { as } = await startNetwork(t)
  const [admin, alice, bob] = [as('admin'), as('alice'), as('bob')]
  const scope = await alice.make('address-scopes', { name: 's', ip_version: 4 })
  const pool = await alice.make('subnetpools', { name: 'p', prefixes: ['10.0.0.0/8'], address_scope_id: scope.id })
  const group = await alice.make('security-groups', { name: 'g' })
  const addresses = await alice.make('address-groups', { name: 'a', addresses: ['192.0.2.7/24'] })
  assert.deepEqual(addresses.addresses, ['192.0.2.0/24'])
  for (const [path, id, object_type] of [
    ['address-scopes', scope.id, 'address_scope'],
    ['subnetpools', pool.id, 'subnetpool'],
    ['security-groups', group.id, 'security_group'],
    ['address-groups', addresses.id, 'address_group'],
  ]) {
    assert.equal((await bob.get(`${path}/${id}`)).status, 404, path)
    const policy = { object_type, object_id: id, action: 'access_as_shared', target_tenant: 'bob' }
    await alice.make('rbac-policies', policy)
    const seen = await bob.get(`${path}/${id}`)
    assert.deepEqual([seen.status, seen.body[object_type].shared], [200, true], path)
    assert.equal((await bob.delete(`${path}/${id}`)).status, 403, path)
  }
  await bob.make('subnetpools', { name: 'q', prefixes: ['172.16.0.0/16'], address_scope_id: scope.id })
  const { id: network_id } = await bob.make('networks', {})
  const subnet = await bob.make('subnets', { network_id, ip_version: 4, subnetpool_id: pool.id, prefixlen: 24 })
  await bob.make('ports', { network_id, security_groups: [group.id] })
  const quality = (await admin.post('qos/policies', { policy: { name: 'q' } })).body.policy
  const policy = { object_type: 'qos_policy', object_id: quality.id, action: 'access_as_shared', target_tenant: 'bob' }
  const shared = await admin.make('rbac-policies', policy)
  const limited = await bob.make('networks', { qos_policy_id: quality.id })
  assert.equal((await admin.delete(`rbac-policies/${shared.id}`)).status, 409)
  await bob.delete(`networks/${limited.id}`)
  assert.equal((await admin.delete(`rbac-policies/${shared.id}`)).status, 204)
  const own = await bob.make('security-groups', { name: 'own' })
  const rule = { security_group_id: own.id, direction: 'ingress', remote_address_group_id: addresses.id }
  await bob.make('security-group-rules', rule)
  for (const { id } of (await admin.get('rbac-policies?target_tenant=bob')).body.rbac_policies) {
    assert.equal((await alice.delete(`rbac-policies/${id}`)).status, 409)
  }
  assert.equal((await alice.delete(`address-groups/${addresses.id}`)).status, 409)
  assert.equal((await alice.delete(`address-scopes/${scope.id}`)).status, 409)
  assert.equal((await alice.delete(`subnetpools/${pool.id}`)).status, 409)
  for (const path of [`subnets/${subnet.id}`, `networks/${network_id}`, `security-groups/${own.id}`]) {
    assert.equal((await bob.put(`${path}/tags/t`, undefined)).status, 201, path)
    assert.deepEqual((await bob.get(`${path.split('/')[0]}?tags=t`)).status, 200)
  }
})
