import assert from 'node:assert/strict'
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { type ComputeCloud, latest, startComputeCloud } from '../../../../test/support/compute.ts'

type Who = 'admin' | 'demo'
const asker =
  (cloud: ComputeCloud) =>
  async (
    who: Who,
    method: string,
    path: string,
    status: number,
    body?: unknown,
    headers: Record<string, string> = latest,
  ) => {
    const answer = await cloud.as(who).call(method, 'compute', `/v2.1${path}`, body, headers)
    assert.equal(answer.status, status, `${method} ${path}: ${JSON.stringify(answer.body)}`)
    return answer.body
  }

test('flavors: the first five, new ones, extra specs, and who may use them', async (t) => {
  const cloud = await startComputeCloud(t)
  const ask = asker(cloud)
  const names = async (who: Who, query = '') =>
    (await ask(who, 'GET', `/flavors/detail${query}`, 200)).flavors.map(({ name }: { name: string }) => name)
  assert.deepEqual(await names('demo'), ['m1.tiny', 'm1.small', 'm1.medium', 'm1.large', 'm1.xlarge'])
  assert.deepEqual(await names('demo', '?minRam=4096&sort_key=memory_mb&sort_dir=desc&limit=2'), [
    'm1.xlarge',
    'm1.large',
  ])
  assert.deepEqual(await names('demo', '?limit=2&marker=2'), ['m1.medium', 'm1.large'])
  await ask('demo', 'GET', '/flavors?marker=nope', 400)
  await ask('demo', 'GET', '/flavors?minDisk=x', 400)

  const wanted = {
    name: 'nano',
    ram: '64',
    vcpus: 1,
    disk: 0,
    'os-flavor-access:is_public': false,
    description: 'tiny',
  }
  await ask('demo', 'POST', '/flavors', 403, { flavor: wanted })
  const { flavor } = await ask('admin', 'POST', '/flavors', 200, { flavor: wanted })
  assert.deepEqual([flavor.ram, flavor.disk, flavor.swap, flavor.description], [64, 0, 0, 'tiny'])
  await ask('admin', 'POST', '/flavors', 409, { flavor: wanted })
  await ask('admin', 'POST', '/flavors', 409, { flavor: { ...wanted, name: 'x', id: flavor.id } })
  await ask('admin', 'POST', '/flavors', 400, { flavor: { ...wanted, name: 'y', ram: 0 } })
  await ask('admin', 'POST', '/flavors', 400, { flavor: { ...wanted, name: 'y', vcpus: -1 } })
  assert.equal((await ask('admin', 'GET', '/flavors/1', 200, undefined, {})).flavor.swap, '')

  const path = `/flavors/${flavor.id}`
  await ask('demo', 'GET', path, 404)
  assert.equal((await cloud.create('demo', { flavorRef: flavor.id })).status, 400)
  const give = { addTenantAccess: { tenant: cloud.as('demo').projectId } }
  const { flavor_access } = await ask('admin', 'POST', `${path}/action`, 200, give)
  assert.deepEqual(flavor_access, [{ flavor_id: flavor.id, tenant_id: cloud.as('demo').projectId }])
  await ask('admin', 'POST', `${path}/action`, 409, give)
  await ask('admin', 'POST', `${path}/action`, 400, { addTenantAccess: { tenant: 'nobody' } })
  await ask('admin', 'POST', '/flavors/1/action', 409, give)
  await ask('admin', 'GET', '/flavors/1/os-flavor-access', 404)
  await ask('demo', 'GET', path, 200)
  assert.equal((await cloud.create('demo', { flavorRef: flavor.id })).status, 403) // no disk
  await ask('admin', 'POST', `${path}/action`, 200, { removeTenantAccess: { tenant: cloud.as('demo').projectId } })
  await ask('demo', 'GET', path, 404)

  const specs = { 'docker:cpu_shares': '512', 'hw:cpu_policy': 'shared' }
  await ask('admin', 'POST', '/flavors/1/os-extra_specs', 200, { extra_specs: specs })
  assert.deepEqual((await ask('demo', 'GET', '/flavors/1', 200)).flavor.extra_specs, specs)
  await ask('admin', 'PUT', '/flavors/1/os-extra_specs/docker:cpu_shares', 200, { 'docker:cpu_shares': '1' })
  await ask('admin', 'PUT', '/flavors/1/os-extra_specs/docker:cpu_shares', 400, { other: '1' })
  await ask('admin', 'POST', '/flavors/1/os-extra_specs', 400, { extra_specs: { 'hw:cpu_policy': 'mine' } })
  await ask('admin', 'POST', '/flavors/1/os-extra_specs', 400, { extra_specs: { 'hw:nonsense': '1' } })
  await ask('demo', 'DELETE', '/flavors/1/os-extra_specs/docker:cpu_shares', 403)
  await ask('admin', 'DELETE', '/flavors/1/os-extra_specs/docker:cpu_shares', 200)
  await ask('admin', 'DELETE', '/flavors/1/os-extra_specs/docker:cpu_shares', 404)
  assert.deepEqual(await ask('demo', 'GET', '/flavors/1/os-extra_specs', 200), {
    extra_specs: { 'hw:cpu_policy': 'shared' },
  })

  await ask('admin', 'PUT', path, 200, { flavor: { description: null } })
  await ask('admin', 'DELETE', path, 202)
  await ask('admin', 'DELETE', path, 404)
})

test('key pairs: made before 2.92, given always, by user', async (t) => {
  const cloud = await startComputeCloud(t, {
    config: { quotas: { instances: 10, cores: 20, ramMiB: 51_200, keyPairs: 3 } },
  })
  const ask = asker(cloud)
  const { keypair: made } = await ask('demo', 'POST', '/os-keypairs', 200, { keypair: { name: 'made' } }, {})
  assert.match(made.private_key, /^-----BEGIN RSA PRIVATE KEY-----\n/)
  // What `ssh-keygen -y` and `ssh-keygen -l -E md5` would say of it.
  const { n = '' } = createPublicKey(made.private_key).export({ format: 'jwk' })
  const blob = Buffer.from(made.public_key.split(' ')[1], 'base64')
  assert.equal(blob.subarray(4, 11).toString(), 'ssh-rsa')
  assert.deepEqual(blob.subarray(-256), Buffer.from(n, 'base64url'))
  const md5 = createHash('md5').update(blob).digest('hex')
  assert.equal(made.fingerprint, md5.match(/../g)!.join(':'))

  await ask('demo', 'POST', '/os-keypairs', 400, { keypair: { name: 'none' } })
  await ask('demo', 'POST', '/os-keypairs', 409, { keypair: { name: 'made', public_key: made.public_key } })
  await ask('demo', 'POST', '/os-keypairs', 400, { keypair: { name: 'bad', public_key: 'ssh-rsa AAAA' } })
  await ask('demo', 'POST', '/os-keypairs', 400, { keypair: { name: 'a/b', public_key: made.public_key } })
  const given = { keypair: { name: 'me@home', public_key: made.public_key, type: 'ssh' } }
  assert.equal((await ask('demo', 'POST', '/os-keypairs', 201, given)).keypair.private_key, undefined)
  await ask('demo', 'POST', '/os-keypairs', 201, { keypair: { ...given.keypair, name: 'third' } })
  const over = await ask('demo', 'POST', '/os-keypairs', 403, { keypair: { ...given.keypair, name: 'fourth' } })
  assert.equal(over.forbidden.message, 'Quota exceeded, too many key pairs.')
  const x509 = { keypair: { name: 'windows', type: 'x509' } }
  const at22 = { 'openstack-api-version': 'compute 2.2' }
  const { keypair: windows } = await ask('admin', 'POST', '/os-keypairs', 201, x509, at22)
  const certificate = new X509Certificate(windows.public_key)
  assert.ok(certificate.checkPrivateKey(createPrivateKey(windows.private_key)))
  assert.ok(certificate.verify(certificate.publicKey))
  assert.equal(certificate.subject, `CN=${windows.user_id}`)
  assert.equal(windows.fingerprint, certificate.fingerprint.toLowerCase())
  await ask('admin', 'DELETE', '/os-keypairs/windows', 204)
  const list = await ask('demo', 'GET', '/os-keypairs?limit=2', 200)
  assert.deepEqual(
    list.keypairs.map(({ keypair }: { keypair: { name: string } }) => keypair.name),
    ['made', 'me@home'],
  )
  assert.ok(list.keypairs_links[0].href.includes('marker=me%40home'))
  assert.deepEqual((await ask('admin', 'GET', '/os-keypairs', 200)).keypairs, [])
  const { keypair } = await ask('demo', 'GET', '/os-keypairs/made', 200)
  assert.equal((await ask('admin', 'GET', `/os-keypairs/made?user_id=${keypair.user_id}`, 200)).keypair.id, keypair.id)
  await ask('demo', 'GET', '/os-keypairs/made?user_id=somebody', 403)
  const id = await cloud.boot('demo', { key_name: 'made' })
  assert.equal((await cloud.show('demo', id)).key_name, 'made')
  await ask('demo', 'DELETE', '/os-keypairs/made', 204)
  await ask('demo', 'DELETE', '/os-keypairs/made', 404)
  const { publicKey } = generateKeyPairSync('ed25519')
  await ask('demo', 'POST', '/os-keypairs', 400, {
    keypair: { name: 'pem', public_key: publicKey.export({ format: 'pem', type: 'spki' }).toString() },
  })
})

test('hypervisors, services, zones, limits and quotas tell what there is and what is taken', async (t) => {
  const cloud = await startComputeCloud(t, { hosts: [{ vcpus: 8, memoryMiB: 8192 }, {}] })
  const ask = asker(cloud)
  const id = await cloud.boot('demo', { availability_zone: undefined, metadata: { a: '1' } })
  const host = (await cloud.show('admin', id))['OS-EXT-SRV-ATTR:host'] as string

  const { hypervisors } = await ask('admin', 'GET', '/os-hypervisors/detail?with_servers=1', 200)
  assert.deepEqual(
    hypervisors.map((h: { hypervisor_hostname: string; state: string; servers: { uuid: string }[] }) => [
      ...[h.hypervisor_hostname, h.state, h.servers.map(({ uuid }) => uuid)],
    ]),
    ['host1', 'host2'].map((name) => [name, 'up', name === host ? [id] : []]),
  )
  assert.equal('vcpus' in hypervisors[0], false)
  const old = await ask('admin', 'GET', '/os-hypervisors/1', 200, undefined, {})
  assert.deepEqual([old.hypervisor.id, old.hypervisor.vcpus, old.hypervisor.memory_mb], [1, 8, 8192])
  assert.equal(typeof old.hypervisor.cpu_info, 'string')
  const statistics = await ask('admin', 'GET', '/os-hypervisors/statistics', 200, undefined, {})
  assert.deepEqual([statistics.hypervisor_statistics.count, statistics.hypervisor_statistics.memory_mb_used], [2, 512])
  await ask('admin', 'GET', '/os-hypervisors/statistics', 404)
  await ask('admin', 'GET', `/os-hypervisors/${hypervisors[0].id}`, 200)
  await ask('admin', 'GET', '/os-hypervisors/host1/servers', 200, undefined, {})
  await ask('admin', 'GET', '/os-hypervisors?hypervisor_hostname_pattern=nope', 404)
  await ask('demo', 'GET', '/os-hypervisors', 403)

  const disabled = { host: 'host2', binary: 'nova-compute', disabled_reason: 'moving' }
  await ask('admin', 'PUT', '/os-services/disable-log-reason', 200, disabled, {})
  const { services } = await ask('admin', 'GET', '/os-services?host=host2', 200)
  assert.deepEqual([services[0].status, services[0].disabled_reason, services[0].state], ['disabled', 'moving', 'up'])
  await ask('admin', 'PUT', '/os-services/enable', 200, { host: 'host2', binary: 'nova-compute' }, {})
  await ask('admin', 'PUT', '/os-services/nonsense', 404, { host: 'host2', binary: 'nova-compute' }, {})
  await ask('admin', 'PUT', '/os-services/enable', 404, { host: 'host9', binary: 'nova-compute' }, {})
  const used = (await ask('admin', 'GET', `/os-services?host=${host}`, 200)).services[0].id
  await ask('admin', 'DELETE', `/os-services/${used}`, 409)

  const { availabilityZoneInfo } = await ask('admin', 'GET', '/os-availability-zone/detail', 200)
  assert.equal(availabilityZoneInfo[0].hosts.host1['nova-compute'].available, true)
  assert.equal((await ask('demo', 'GET', '/os-availability-zone', 200)).availabilityZoneInfo[0].hosts, null)

  const { absolute } = (await ask('demo', 'GET', '/limits', 200)).limits
  assert.deepEqual([absolute.totalInstancesUsed, absolute.totalRAMUsed, absolute.maxTotalInstances], [1, 512, 10])
  const quotas = `/os-quota-sets/${cloud.as('demo').projectId}`
  await ask('demo', 'PUT', quotas, 403, { quota_set: { instances: 1 } })
  await ask('admin', 'PUT', quotas, 400, { quota_set: { instances: 0 } })
  await ask('admin', 'PUT', quotas, 400, { quota_set: { instances: -2 } })
  await ask('admin', 'PUT', quotas, 400, { quota_set: { fixed_ips: 1 } })
  await ask('admin', 'PUT', '/os-quota-sets/nobody', 400, { quota_set: { instances: 1 } })
  await ask('admin', 'PUT', quotas, 200, { quota_set: { instances: '1', force: true } })
  assert.equal((await ask('demo', 'GET', `${quotas}/detail`, 200)).quota_set.instances.in_use, 1)
  assert.equal((await cloud.create('demo')).status, 403)
  await ask('admin', 'DELETE', quotas, 202)
  assert.equal((await ask('demo', 'GET', quotas, 200)).quota_set.instances, 10)
})

test('metadata, tags and addresses of a server', async (t) => {
  const cloud = await startComputeCloud(t)
  const ask = asker(cloud)
  const id = await cloud.boot('demo', { metadata: { a: '1', b: '2' }, tags: ['x'] })
  const path = `/servers/${id}/metadata`
  assert.deepEqual(await ask('demo', 'POST', path, 200, { metadata: { c: '3' } }), {
    metadata: { a: '1', b: '2', c: '3' },
  })
  assert.deepEqual(await ask('demo', 'PUT', path, 200, { metadata: { d: '4' } }), { metadata: { d: '4' } })
  assert.deepEqual(await ask('demo', 'PUT', `${path}/d`, 200, { meta: { d: '5' } }), { meta: { d: '5' } })
  await ask('demo', 'PUT', `${path}/d`, 400, { meta: { e: '5' } })
  await ask('demo', 'PUT', `${path}/d`, 400, { meta: { d: 'x'.repeat(256) } })
  assert.deepEqual(await ask('demo', 'GET', `${path}/d`, 200), { meta: { d: '5' } })
  await ask('demo', 'DELETE', `${path}/d`, 204)
  await ask('demo', 'DELETE', `${path}/d`, 404)
  const many = Object.fromEntries(Array.from({ length: 129 }, (_, i) => [`k${i}`, 'v']))
  await ask('demo', 'POST', path, 403, { metadata: many })
  assert.deepEqual(await ask('demo', 'GET', path, 200), { metadata: {} })

  const tags = `/servers/${id}/tags`
  await ask('demo', 'PUT', `${tags}/y`, 201)
  await ask('demo', 'PUT', `${tags}/y`, 204)
  assert.deepEqual(await ask('demo', 'GET', tags, 200), { tags: ['x', 'y'] })
  await ask('demo', 'GET', `${tags}/z`, 404)
  await ask('demo', 'DELETE', `${tags}/x`, 204)
  assert.deepEqual(await ask('demo', 'PUT', tags, 200, { tags: ['b', 'a', 'a'] }), { tags: ['a', 'b'] })
  await ask('demo', 'DELETE', tags, 204)
  await ask('demo', 'GET', tags, 404, undefined, {})

  assert.deepEqual(await ask('demo', 'GET', `/servers/${id}/ips`, 200), { addresses: {} })
  await ask('demo', 'GET', `/servers/${id}/ips/none`, 404)
  const changed = await ask('demo', 'PUT', `/servers/${id}`, 200, {
    server: { name: 'two', description: 'd', accessIPv4: '192.0.2.1', hostname: 'two-host' },
  })
  assert.deepEqual(
    [changed.server.name, changed.server.accessIPv4, changed.server['OS-EXT-SRV-ATTR:hostname']],
    ['two', '192.0.2.1', 'two-host'],
  )
  await ask('demo', 'PUT', `/servers/${id}`, 400, { server: { accessIPv4: 'x' } })
  assert.ok((await ask('demo', 'GET', '/extensions', 200)).extensions.length > 10)
  await ask('demo', 'GET', '/extensions/nope', 404)
})
