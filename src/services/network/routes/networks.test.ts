import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startNetwork } from '../test-support.ts'

test('a network is made, shown, renamed and deleted; other projects cannot see it', async (t) => {
  const { as } = await startNetwork(t)
  const alice = as('alice')
  const made = await alice.post('networks', { network: { name: 'n1' } })
  assert.equal(made.status, 201)
  const { network } = made.body
  assert.equal(network.status, 'ACTIVE')
  assert.equal(network.project_id, 'alice')
  assert.equal(network.tenant_id, 'alice')
  assert.equal(network.mtu, 1450)
  assert.deepEqual(network.subnets, [])
  assert.equal(network['router:external'], false)
  assert.equal('provider:segmentation_id' in network, false)
  assert.match(network.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)

  const url = `networks/${network.id}`
  assert.deepEqual((await alice.get(url)).body.network, network)
  assert.equal((await as('admin').get(url)).body.network['provider:network_type'], 'vxlan')
  const unseen = await as('bob').get(url)
  assert.equal(unseen.status, 404)
  assert.equal(unseen.body.NeutronError.type, 'NetworkNotFound')
  assert.equal((await as('bob').delete(url)).status, 404)
  assert.equal((await as('bob').put(url, { network: { name: 'x' } })).status, 404)
  assert.equal((await as('rob').get(url)).status, 200)
  assert.equal((await as('rob').delete(url)).status, 403)

  const renamed = await alice.put(url, { network: { name: 'n2', admin_state_up: false } })
  assert.equal(renamed.body.network.name, 'n2')
  assert.equal(renamed.body.network.admin_state_up, false)
  assert.ok(renamed.body.network.revision_number > network.revision_number)
  assert.equal((await alice.delete(url)).status, 204)
  assert.equal((await alice.get(url)).status, 404)
})

test('what only an administrator may ask of a network', async (t) => {
  const { as } = await startNetwork(t)
  for (const values of [{ shared: true }, { 'router:external': true }, { 'provider:segmentation_id': 7 }]) {
    const refused = await as('alice').post('networks', { network: { name: 'n', ...values } })
    assert.equal(refused.status, 403, JSON.stringify(values))
    assert.equal(refused.body.NeutronError.type, 'PolicyNotAuthorized')
  }
  assert.equal((await as('alice').post('networks', { network: { name: 'n', shared: false } })).status, 201)
  const shared = await as('admin').make('networks', { name: 's', shared: true, project_id: 'bob' })
  assert.equal(shared.project_id, 'bob')
  const open = await as('admin').make('networks', { name: 'e', 'router:external': true })
  const names = (await as('alice').get('networks')).body.networks.map((n: { name: string }) => n.name).sort()
  assert.deepEqual(names, ['e', 'n', 's'])
  assert.equal((await as('alice').put(`networks/${shared.id}`, { network: { name: 'x' } })).status, 403)
  assert.equal((await as('alice').delete(`networks/${open.id}`)).status, 403)
  const segment = { name: 'p', 'provider:network_type': 'vxlan', 'provider:segmentation_id': 77 }
  assert.equal((await as('admin').make('networks', segment))['provider:segmentation_id'], 77)
  assert.equal((await as('admin').post('networks', { network: segment })).status, 409)
})

test('bad bodies are refused by name', async (t) => {
  const { as } = await startNetwork(t)
  const cases: [unknown, RegExp][] = [
    [{}, /Unable to find 'network'/],
    [{ network: { nam: 'x' } }, /Unrecognized attribute\(s\) 'nam'/],
    [{ network: { name: 'x'.repeat(300) } }, /exceeds maximum length of 255/],
    [{ network: { admin_state_up: 'maybe' } }, /'maybe' cannot be converted to boolean/],
    [{ network: { id: 'x' } }, /Attribute 'id' not allowed in POST/],
    [{ network: { mtu: 9000 } }, /maximum is 1450/],
    [{ network: { project_id: 'bob' } }, /requires admin privileges/],
    [{ networks: [] }, /Resources required/],
  ]
  for (const [body, text] of cases) {
    const refused = await as('alice').post('networks', body)
    assert.equal(refused.status, 400, JSON.stringify(body))
    assert.match(refused.body.NeutronError.message, text)
  }
  assert.equal((await as('alice').get('trunks')).status, 404)
})

test('lists: filters, fields, sorting, pages and bulk create', async (t) => {
  const { as } = await startNetwork(t)
  const alice = as('alice')
  const names = ['d', 'b', 'a', 'c']
  const bulk = await alice.post('networks', { networks: names.map((name) => ({ name })) })
  assert.equal(bulk.status, 201)
  assert.equal(bulk.body.networks.length, 4)
  const list = async (query: string) => (await alice.get(`networks?${query}`)).body
  const namesOf = (body: { networks: { name: string }[] }) => body.networks.map(({ name }) => name)
  assert.deepEqual(namesOf(await list('name=a&name=b&sort_key=name')), ['a', 'b'])
  assert.deepEqual(namesOf(await list('sort_key=name&sort_dir=desc')), ['d', 'c', 'b', 'a'])
  assert.deepEqual(await list('name=a&fields=name&fields=mtu'), { networks: [{ name: 'a', mtu: 1450 }] })
  assert.deepEqual(namesOf(await list('shared=True')), [])
  assert.deepEqual(namesOf(await list('router:external=false&tenant_id=alice&sort_key=name&limit=1')), ['a'])
  const first = await list('sort_key=name&limit=2')
  assert.deepEqual(namesOf(first), ['a', 'b'])
  assert.deepEqual(
    first.networks_links.map((l: { rel: string }) => l.rel),
    ['next'],
  )
  const second = (await alice.get(first.networks_links[0].href.replace(/^http:\/\/[^/]*/, ''))).body
  assert.deepEqual(namesOf(second), ['c', 'd'])
  const back = second.networks_links.find((l: { rel: string }) => l.rel === 'previous')
  assert.deepEqual(namesOf((await alice.get(back.href.replace(/^http:\/\/[^/]*/, ''))).body), ['a', 'b'])
  for (const bad of ['nme=x', 'sort_key=nme', 'limit=-1', 'sort_key=name&sort_dir=up', 'shared=maybe']) {
    assert.equal((await alice.get(`networks?${bad}`)).status, 400, bad)
  }
  assert.equal((await alice.get('networks?limit=1&marker=nope')).status, 404)
})

test('quotas are kept, shown and changed', async (t) => {
  const { as } = await startNetwork(t)
  assert.equal((await as('alice').get('quotas/alice')).body.quota.network, 100)
  assert.equal((await as('alice').get('quotas/bob')).status, 403)
  assert.equal((await as('alice').put('quotas/alice', { quota: { network: 1 } })).status, 403)
  assert.equal((await as('admin').put('quotas/alice', { quota: { network: 1 } })).body.quota.network, 1)
  await as('alice').make('networks', { name: 'one' })
  const refused = await as('alice').post('networks', { network: { name: 'two' } })
  assert.equal(refused.status, 409)
  assert.equal(refused.body.NeutronError.message, "Quota exceeded for resources: ['network'].")
  assert.equal((await as('admin').get('quotas')).body.quotas[0].project_id, 'alice')
  assert.equal((await as('admin').delete('quotas/alice')).status, 204)
  assert.deepEqual((await as('admin').get('quotas')).body.quotas, [])
})

test('discovery', async (t) => {
  const { as } = await startNetwork(t)
  assert.equal((await as('alice').get('/')).body.versions[0].id, 'v2.0')
  const names = (await as('alice').get('/v2.0/')).body.resources.map((r: { name: string }) => r.name)
  for (const name of ['network', 'subnet', 'port']) assert.ok(names.includes(name))
  const { extensions } = (await as('alice').get('extensions')).body
  assert.deepEqual((await as('alice').get(`extensions/${extensions[0].alias}`)).body.extension, extensions[0])
  assert.equal((await as('alice').get('extensions/trunk')).status, 404)
})
