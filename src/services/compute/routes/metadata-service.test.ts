import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import test from 'node:test'
import { type ComputeCloud, startComputeCloud } from '../../../../test/support/compute.ts'

const at = (version: string) => ({ 'openstack-api-version': `compute ${version}` })

/** As a host's proxy asks. */
function proxyOf(cloud: ComputeCloud, id: string, projectId: string) {
  const { metadataProxySharedSecret, portBase } = cloud.config
  const headers = {
    'x-instance-id': id,
    'x-tenant-id': projectId,
    'x-instance-id-signature': createHmac('sha256', metadataProxySharedSecret).update(id).digest('hex'),
    'x-forwarded-for': '10.0.0.4',
  }
  const ask = async (path: string, init: RequestInit = {}) => {
    const answer = await fetch(`http://127.0.0.1:${8775 + portBase}${path}`, { headers, ...init })
    return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() }
  }
  return { ask, headers, read: async (path: string) => (await ask(path)).text }
}

async function bootWithAll(cloud: ComputeCloud) {
  const demo = cloud.as('demo')
  const admin = cloud.as('admin')
  const wanted = { name: 'inside', shared: true, mtu: 1450 }
  const { network } = (await admin.post('network', '/v2.0/networks', { network: wanted })).body
  const subnet = { network_id: network.id, cidr: '10.9.0.0/24', ip_version: 4, dns_nameservers: ['10.9.0.2'] }
  const routes = { enable_dhcp: false, host_routes: [{ destination: '172.16.0.0/12', nexthop: '10.9.0.9' }] }
  const made = await admin.post('network', '/v2.0/subnets', { subnet: { ...subnet, ...routes } })
  assert.equal(made.status, 201, JSON.stringify(made.body))
  const { keypair } = (await demo.post('compute', '/v2.1/os-keypairs', { keypair: { name: 'mine' } })).body
  const server = {
    ...{ name: 'told', imageRef: cloud.imageId, flavorRef: '1', networks: [{ uuid: network.id }], key_name: 'mine' },
    ...{ metadata: { role: 'web' }, user_data: Buffer.from('#!/bin/sh\n').toString('base64') },
    personality: [{ path: '/etc/motd', contents: Buffer.from('hello').toString('base64') }],
  }
  const { status, body } = await demo.post('compute', '/v2.1/servers', { server }, at('2.56'))
  assert.equal(status, 202, JSON.stringify(body))
  await cloud.settle()
  return { id: body.server.id as string, key: keypair.public_key as string, projectId: demo.projectId, network }
}

test('a server reads what it is, in OpenStack’s format', async (t) => {
  const cloud = await startComputeCloud(t)
  const { id, key, projectId, network } = await bootWithAll(cloud)
  const { ask, read } = proxyOf(cloud, id, projectId)
  assert.match(await read('/openstack'), /^2012-08-10\n[\s\S]*\n2020-10-14\nlatest$/)
  assert.equal(
    await read('/openstack/latest/'),
    'meta_data.json\nuser_data\npassword\nvendor_data.json\nnetwork_data.json\nvendor_data2.json',
  )
  assert.equal(await read('/openstack/2012-08-10'), 'meta_data.json\nuser_data')
  const answer = await ask('//openstack/latest//meta_data.json')
  assert.equal(answer.type, 'application/json; charset=UTF-8')
  const { random_seed, ...meta } = JSON.parse(answer.text)
  assert.equal(Buffer.from(random_seed, 'base64').length, 512)
  assert.deepEqual(meta, {
    ...{ uuid: id, meta: { role: 'web' }, files: [{ path: '/etc/motd', content_path: '/content/0000' }] },
    ...{ public_keys: { mine: key }, keys: [{ name: 'mine', type: 'ssh', data: key }] },
    ...{ hostname: 'told', name: 'told', launch_index: 0, availability_zone: 'nova', project_id: projectId },
    ...{ devices: [], dedicated_cpus: [] },
  })
  assert.equal(JSON.parse(await read('/openstack/2012-08-10/meta_data.json')).project_id, undefined)
  assert.equal(await read('/openstack/latest/user_data'), '#!/bin/sh\n')
  assert.equal(await read('/openstack/content/0000'), 'hello')
  const data = JSON.parse(await read('/openstack/latest/network_data.json'))
  assert.deepEqual(
    [data.links.length, data.links[0].mtu, data.services],
    [1, 1450, [{ type: 'dns', address: '10.9.0.2' }]],
  )
  const { ip_address: address, ...rest } = data.networks[0]
  assert.match(address, /^10\.9\.0\.\d+$/)
  assert.deepEqual(rest, {
    ...{ id: 'network0', link: data.links[0].id, network_id: network.id, type: 'ipv4', netmask: '255.255.255.0' },
    routes: [
      { network: '0.0.0.0', netmask: '0.0.0.0', gateway: '10.9.0.1' },
      { network: '172.16.0.0', netmask: '255.240.0.0', gateway: '10.9.0.9' },
    ],
    services: [{ type: 'dns', address: '10.9.0.2' }],
  })
  assert.deepEqual(JSON.parse(await read('/openstack/latest/vendor_data2.json')), { static: {} })
  for (const path of ['/openstack/2011-01-01', '/openstack/2012-08-10/network_data.json', '/openstack/latest/x']) {
    assert.equal((await ask(path)).status, 404, path)
  }
})

test('and in EC2’s', async (t) => {
  const cloud = await startComputeCloud(t)
  const { id, key, projectId } = await bootWithAll(cloud)
  const { ask, read } = proxyOf(cloud, id, projectId)
  assert.match(await read('/'), /^1\.0\n[\s\S]*\n2009-04-04\nlatest$/)
  assert.equal(await read('/latest'), 'meta-data/\nuser-data')
  assert.match(await read('/latest/meta-data/'), /^ami-id\nami-launch-index\n[\s\S]*public-keys\/\nreservation-id\n/)
  assert.match(await read('/latest/meta-data/instance-id'), /^i-[0-9a-f]{17}$/)
  assert.equal(await read('/latest/meta-data/public-keys/'), '0=mine')
  assert.equal(await read('/latest/meta-data/public-keys/0/'), 'openssh-key')
  assert.equal(await read('/2009-04-04/meta-data/public-keys/0/openssh-key'), key)
  assert.equal(await read('/latest/meta-data/placement/availability-zone'), 'nova')
  assert.equal(await read('/latest/meta-data/security-groups'), 'default')
  assert.match(await read('/latest/meta-data/local-ipv4'), /^10\.9\.0\.\d+$/)
  assert.equal(await read('/latest/user-data'), '#!/bin/sh\n')
  assert.equal((await ask('/1.0/meta-data/placement')).status, 404)
  assert.equal((await ask('/latest/meta-data/nothing')).status, 404)
})

test('only a signed request is believed, and only for the server’s own project', async (t) => {
  const cloud = await startComputeCloud(t)
  const id = await cloud.boot('demo')
  const projectId = cloud.as('demo').projectId
  const { ask, headers } = proxyOf(cloud, id, projectId)
  const status = async (changes: Record<string, string | undefined>, path = '/latest/meta-data/') => {
    const sent = Object.entries({ ...headers, ...changes }).filter(
      (pair): pair is [string, string] => pair[1] !== undefined,
    )
    return (await ask(path, { headers: Object.fromEntries(sent) })).status
  }
  assert.equal(await status({}), 200)
  assert.equal(await status({ 'x-instance-id-signature': 'f'.repeat(64) }), 403)
  assert.equal(await status({ 'x-instance-id-signature': 'short' }), 403)
  assert.equal(await status({ 'x-instance-id': cloud.imageId }), 403)
  assert.equal(await status({ 'x-tenant-id': cloud.as('admin').projectId }), 404)
  assert.equal(await status({ 'x-tenant-id': undefined }), 400)
  assert.equal(await status({ 'x-instance-id': undefined }), 400)
  assert.equal(await status({}, '/metrics'), 404, 'a server does not read the operator’s figures')
  await cloud.as('demo').delete('compute', `/v2.1/servers/${id}`)
  await cloud.settle()
  assert.equal(await status({}), 404)
})

test('a server leaves its password once, and its owner reads and clears it', async (t) => {
  const cloud = await startComputeCloud(t)
  const id = await cloud.boot('demo')
  const demo = cloud.as('demo')
  const { ask, read } = proxyOf(cloud, id, demo.projectId)
  const path = `/v2.1/servers/${id}/os-server-password`
  assert.deepEqual((await demo.get('compute', path)).body, { password: '' })
  const post = (body: string) => ask('/openstack/latest/password', { method: 'POST', body })
  assert.equal((await post('x'.repeat(1021))).status, 400)
  assert.equal((await post('encrypted==')).status, 200)
  assert.equal((await post('another')).status, 409)
  assert.equal(await read('/openstack/latest/password'), 'encrypted==')
  assert.deepEqual((await demo.get('compute', path)).body, { password: 'encrypted==' })
  assert.equal((await demo.delete('compute', path)).status, 204)
  assert.equal((await post('another')).status, 200)
  assert.equal((await ask('/openstack/latest/meta_data.json', { method: 'POST', body: 'x' })).status, 405)
})

test('files for a server are bounded', async (t) => {
  const cloud = await startComputeCloud(t)
  const file = (path: string, bytes: number) => ({ path, contents: Buffer.alloc(bytes).toString('base64') })
  const status = async (personality: object[], version = '2.56') =>
    (await cloud.create('demo', { personality, networks: undefined }, at(version))).status
  const five = [1, 2, 3, 4, 5].map((n) => file(`/f${n}`, 10240))
  assert.equal((await cloud.create('demo', { personality: five }, at('2.56'))).status, 202)
  assert.equal((await cloud.create('demo', { personality: [...five, file('/f6', 1)] }, at('2.56'))).status, 403)
  assert.equal((await cloud.create('demo', { personality: [file('/f', 10241)] }, at('2.56'))).status, 403)
  assert.equal((await cloud.create('demo', { personality: [file('/'.padEnd(256, 'x'), 1)] }, at('2.56'))).status, 403)
  assert.equal((await cloud.create('demo', { personality: [{ path: '/f', contents: '!' }] }, at('2.56'))).status, 400)
  assert.equal(await status(five, '2.57'), 400)
})
