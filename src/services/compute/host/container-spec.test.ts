import assert from 'node:assert/strict'
import test from 'node:test'
import { containerSpec, dockerNetworks, hostnameOf } from './container-spec.ts'
import { mountedWithQuota } from './disk.ts'
import { anOrder, aPort } from './driver-suite.ts'

const image = { imageId: 'i1', reference: 'r', configDigest: 'sha256:1', pullToken: 't' }
const limits = { cpus: 4, diskQuota: false }

test('host names', () => {
  const cases = [
    ['web-1', 'web-1'],
    ['My Server!', 'My-Server'],
    ['--a_b--', 'a-b'],
    ['ÄÖ', 'server'],
    ['', 'server'],
    [`${'x'.repeat(62)}-y`, 'x'.repeat(62)],
  ] as const
  for (const [wanted, name] of cases) assert.equal(hostnameOf(wanted), name)
})

test('every port but the first is on a Docker network of its own, whose name sorts by NIC', () => {
  const ports = [aPort('p1', 'a'), aPort('p2', 'b', 1), aPort('p3', 'a', 3), aPort('p4', 'a', 10)]
  assert.deepEqual(
    dockerNetworks(ports).map(({ name, endpoint }) => [
      name,
      endpoint.DriverOpts?.['io.berth.port'],
      endpoint.DriverOpts?.['io.berth.twin'],
    ]),
    [
      ['qnet-a', 'p1', undefined],
      ['qnet001-b', 'p2', undefined],
      ['qnet003-a', 'p3', 'true'],
      ['qnet010-a', 'p4', 'true'],
    ],
  )
})

test('a server as a container', () => {
  const order = anOrder(image, {
    vcpus: 8,
    memoryMiB: 512,
    swapMiB: 128,
    environment: { A: '1', 'B=C': '2', D: 'x\0y', E: 'a=b' },
    ports: [aPort('p1', 'a'), aPort('p2', 'b', 1)],
  })
  const spec = containerSpec(order, 'sha256:1', 'c1', limits)
  assert.equal(spec.Image, 'sha256:1')
  assert.deepEqual(spec.Env, ['A=1', 'E=a=b'])
  assert.equal('Cmd' in spec, false)
  assert.deepEqual(spec.NetworkingConfig, {
    EndpointsConfig: { 'qnet-a': { DriverOpts: { 'io.berth.port': 'p1', 'io.berth.addresses': '' } } },
  })
  const { HostConfig: host } = spec
  assert.equal(host?.NetworkMode, 'qnet-a')
  assert.equal(host?.Memory, 512 * 1024 ** 2)
  assert.equal(host?.MemorySwap, 640 * 1024 ** 2)
  assert.equal(host?.NanoCpus, 4e9) // no more than the machine has
  assert.equal(host?.PidsLimit, 4096)
  assert.deepEqual(host?.SecurityOpt, ['no-new-privileges'])
  assert.equal(host?.StorageOpt, undefined)
  assert.equal(containerSpec(anOrder(image), 'sha256:1', 'c1', limits).HostConfig?.NetworkMode, 'none')
  const quota = containerSpec(anOrder(image, { diskGiB: 5 }), 'sha256:1', 'c1', { ...limits, diskQuota: true })
  assert.deepEqual(quota.HostConfig?.StorageOpt, { size: '5G' })
})

test('extra specs', () => {
  const hostOf = (dockerSpecs: Record<string, string>) =>
    containerSpec(anOrder(image, { vcpus: 2, dockerSpecs }), 'sha256:1', 'c1', limits).HostConfig
  assert.equal(hostOf({ cpu_shares: 'true' })?.CpuShares, 2048)
  assert.equal(hostOf({ cpu_shares: '512' })?.CpuShares, 512)
  assert.equal(hostOf({ cpu_shares: '512' })?.NanoCpus, undefined)
  assert.equal(hostOf({ pids_limit: '50', shm_size_mib: '16' })?.PidsLimit, 50)
  assert.equal(hostOf({ shm_size_mib: '16' })?.ShmSize, 16 * 1024 ** 2)
  assert.deepEqual(hostOf({ ulimit_nofile: '1024:4096', ulimit_core: '0' })?.Ulimits, [
    { Name: 'nofile', Soft: 1024, Hard: 4096 },
    { Name: 'core', Soft: 0, Hard: 0 },
  ])
  const sysctls = { 'sysctl:net.core.somaxconn': '1024', 'sysctl:net.ipv4.ip_local_port_range': '1024 2048' }
  assert.deepEqual(hostOf(sysctls)?.Sysctls, {
    'net.core.somaxconn': '1024',
    'net.ipv4.ip_local_port_range': '1024 2048',
  })
  assert.deepEqual(hostOf({ devices: '/dev/fuse,/dev/snd:rw' })?.Devices, [
    { PathOnHost: '/dev/fuse', PathInContainer: '/dev/fuse', CgroupPermissions: 'rwm' },
    { PathOnHost: '/dev/snd', PathInContainer: '/dev/snd', CgroupPermissions: 'rw' },
  ])
  const all = hostOf({ privileged: 'true', runtime: 'runsc', cap_add: 'NET_ADMIN,SYS_TIME' })
  assert.deepEqual([all?.Privileged, all?.UsernsMode, all?.SecurityOpt], [true, 'host', undefined])
  assert.deepEqual([all?.Runtime, all?.CapAdd], ['runsc', ['NET_ADMIN', 'SYS_TIME']])
  for (const [key, value] of [
    ['ulimit_nofile', '10:5'],
    ['ulimit_none', '1'],
    ['sysctl:kernel.panic', '1'],
    ['sysctl:net.core.somaxconn', 'a;b'],
    ['devices', '/etc/passwd'],
    ['devices', '/dev/../etc/passwd'],
    ['cpuset_cpus', 'all'],
    ['privileged', 'yes'],
    ['unknown', '1'],
  ] as const) {
    assert.throws(() => hostOf({ [key]: value }), { kind: 'badRequest' }, `${key}=${value}`)
  }
  assert.throws(() => hostOf({ pids_limit: '-1' }), { kind: 'badRequest', message: /docker:pids_limit.*"-1"/ })
})

test('where a disk can be bounded', () => {
  const mountinfo = [
    '22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard',
    '40 22 254:1 / /var/lib/docker rw - xfs /dev/vdb rw,attr2,prjquota',
    '41 22 254:2 / /var/lib/docker2 rw - xfs /dev/vdc rw,noquota',
  ].join('\n')
  assert.equal(mountedWithQuota(mountinfo, '/var/lib/docker'), true)
  assert.equal(mountedWithQuota(mountinfo, '/var/lib/docker/x'), true)
  assert.equal(mountedWithQuota(mountinfo, '/var/lib/docker2'), false)
  assert.equal(mountedWithQuota(mountinfo, '/srv'), false)
})
