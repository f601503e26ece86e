import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { busyboxArchive } from '../../src/seed/busybox.ts'
import { type Berth, newBerth, type Ran, run } from '../support/berth.ts'

/**
 * The first tour, with Debian's unmodified clients: what a person types. One cloud for all; the tests run in order, as
 * a person would go through them.
 */
describe('the OpenStack clients', { concurrency: 1 }, () => {
  let berth: Berth
  let env: Record<string, string>

  before(async () => {
    berth = await newBerth(20_000)
    await berth.up()
    env = await berth.openrc('admin')
  })
  after(async () => {
    await berth?.destroy()
  })

  async function client(name: string, args: string[], input?: Buffer): Promise<Ran> {
    return run(name, args, { env, ...(input ? { input } : {}) })
  }
  /** Runs `openstack …`, demands success, and gives what it printed. */
  async function openstack(line: string, input?: Buffer): Promise<string> {
    const ran = await client('openstack', line.split(' '), input)
    assert.equal(ran.code, 0, `openstack ${line}\n${ran.stdout}\n${ran.stderr}`)
    return ran.stdout
  }
  const shown = async (line: string) => JSON.parse(await openstack(`${line} -f json`)) as Record<string, unknown>
  const listed = async (line: string) => JSON.parse(await openstack(`${line} -f json`)) as Record<string, unknown>[]

  test('the cloud is seeded, and its first server runs', async () => {
    const servers = await listed('server list')
    assert.equal(servers.length, 1)
    assert.equal(servers[0]?.Status, 'ACTIVE')
    assert.ok(await openstack('token issue'))
    const types = (await listed('catalog list')).map((s) => s.Type)
    for (const type of ['identity', 'image', 'network', 'compute']) assert.ok(types.includes(type), type)
  })

  test('a docker save archive becomes an image, and the image a server', async () => {
    const archive = await busyboxArchive()
    await openstack('image create --container-format docker --disk-format raw bb', archive)
    assert.equal((await shown('image show bb')).status, 'active')
    await openstack('server create --image bb --flavor m1.tiny --network private --wait s1')
    const server = await shown('server show s1')
    assert.equal(server.status, 'ACTIVE')
    assert.match(await berth.docker('ps', '--format', '{{.Names}}'), new RegExp(`^nova-${server.id}$`, 'm'))
  })

  test('a server stops, starts, reboots, pauses, is renamed, and prints to its console', async () => {
    const status = async () => (await shown('server show s1')).status
    const becomes = async (wanted: string) => {
      for (let i = 0; i < 40 && (await status()) !== wanted; i++);
      assert.equal(await status(), wanted)
    }
    await openstack('server stop s1')
    await becomes('SHUTOFF')
    await openstack('server start s1')
    await becomes('ACTIVE')
    await openstack('server reboot --wait s1')
    await openstack('server reboot --hard --wait s1')
    await openstack('server pause s1')
    await becomes('PAUSED')
    await openstack('server unpause s1')
    await becomes('ACTIVE')
    await openstack('server set --name s1x s1')
    await openstack('server set --property colour=blue s1x')
    assert.deepEqual((await shown('server show s1x')).properties, { colour: 'blue' })
    await openstack('server set --name s1 s1x')
    const { id } = await shown('server show s1')
    await berth.docker('exec', `nova-${id}`, 'sh', '-c', 'echo hello from the console > /proc/1/fd/1')
    assert.match(await openstack('console log show s1'), /hello from the console/)
  })

  test('a snapshot boots, and holds the file that was written before', async () => {
    const { id } = await shown('server show s1')
    await berth.docker('exec', `nova-${id}`, 'sh', '-c', 'echo remembered > /root/file')
    await openstack('server image create --wait --name snap s1')
    await openstack('server create --image snap --flavor m1.tiny --network private --wait s2')
    const copy = await shown('server show s2')
    assert.equal((await berth.docker('exec', `nova-${copy.id}`, 'cat', '/root/file')).trim(), 'remembered')
    await openstack('server delete --wait s2')
    await openstack('server delete --wait s1')
    assert.doesNotMatch(await berth.docker('ps', '-a', '--format', '{{.Names}}'), new RegExp(`${id}|${copy.id}`))
    await openstack('image delete snap bb')
  })

  test('identity: projects, users and roles', async () => {
    await openstack('project create --description d p1')
    await openstack('project set --name p1x p1')
    assert.equal((await shown('project show p1x')).description, 'd')
    await openstack('user create --project p1x --password s3cret u1')
    await openstack('user set --email u@example.org u1')
    assert.equal((await shown('user show u1')).email, 'u@example.org')
    await openstack('role create r1')
    await openstack('role set --name r1x r1')
    await openstack('role add --project p1x --user u1 r1x')
    const assignments = await listed('role assignment list --names --project p1x')
    assert.deepEqual([assignments[0]?.Role, assignments[0]?.User], ['r1x', 'u1@Default'])
    for (const line of ['project list', 'user list', 'role list', 'role show r1x']) await openstack(line)
    for (const line of ['role delete r1x', 'user delete u1', 'project delete p1x']) await openstack(line)
  })

  test('network: networks, subnets, ports, security groups and rules', async () => {
    await openstack('network create n1')
    await openstack('network set --name n1x n1')
    await openstack('subnet create --network n1x --subnet-range 10.7.0.0/24 sn1')
    await openstack('subnet set --dns-nameserver 192.0.2.53 sn1')
    await openstack('subnet create --network n1x --ip-version 6 --subnet-range fd00:7::/64 sn6')
    await openstack('port create --network n1x --fixed-ip subnet=sn1,ip-address=10.7.0.9 p1')
    await openstack('port set --name p1x p1')
    assert.match(JSON.stringify((await shown('port show p1x')).fixed_ips), /10\.7\.0\.9/)
    await openstack('security group create g1')
    await openstack('security group set --name g1x g1')
    const rule = await shown('security group rule create --proto tcp --dst-port 22 --remote-ip 0.0.0.0/0 g1x')
    await openstack(`security group rule show ${rule.id}`)
    assert.ok((await listed('security group rule list g1x')).some((r) => r.ID === rule.id))
    for (const line of ['network list', 'network show n1x', 'subnet list', 'subnet show sn1', 'port list']) {
      await openstack(line)
    }
    for (const line of ['security group list', 'security group show g1x']) await openstack(line)
    for (const line of [
      `security group rule delete ${rule.id}`,
      'security group delete g1x',
      'port delete p1x',
      'subnet delete sn1',
      'subnet delete sn6',
      'network delete n1x',
    ]) {
      await openstack(line)
    }
  })

  test('compute for operators: hypervisors and services', async () => {
    assert.equal((await listed('hypervisor list'))[0]?.State, 'up')
    const services = await listed('compute service list')
    assert.ok(services.some((s) => s.Binary === 'nova-compute' && s.State === 'up'))
  })

  test('the nova and glance clients', async () => {
    const boot = await client(
      'nova',
      'boot --image busybox --flavor m1.tiny --nic net-name=private --poll test'.split(' '),
    )
    assert.equal(boot.code, 0, boot.stdout + boot.stderr)
    assert.match((await client('nova', ['list'])).stdout, /test\s+\| ACTIVE/)
    assert.match((await client('nova', ['show', 'test'])).stdout, /OS-EXT-STS:vm_state\s+\| active/)
    const gone = await client('nova', ['delete', 'test'])
    assert.equal(gone.code, 0, gone.stdout + gone.stderr)
    assert.match((await client('glance', ['image-list'])).stdout, /busybox/)
  })

  test('what is wrong is said with its cause', async () => {
    const refused = async (line: string, cause: RegExp, more: Record<string, string> = {}) => {
      const ran = await run('openstack', line.split(' '), { env: { ...env, ...more } })
      assert.notEqual(ran.code, 0, line)
      assert.match(ran.stderr, cause, line)
    }
    await refused('token issue', /requires authentication.*401/, { OS_PASSWORD: 'wrong' })
    await refused('server create --image busybox --flavor m1.tiny --network nowhere x', /nowhere/)
    await refused('server create --image nothing --flavor m1.tiny --network private x', /nothing/)
    await refused('server create --image busybox --flavor m9 --network private x', /m9/)
    await refused(`server create --image busybox --flavor m1.tiny --network private ${'x'.repeat(300)}`, /too long/)
    await refused('subnet create --network private --subnet-range 10.0.0.0/24 again', /overlap/)
  })
})
