import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { startEngine } from '../../../../test/support/engine.ts'
import { rule, startTestNetworkHost, subnet } from '../../../../test/support/network-host.ts'
import { mustRun, runTool } from '../../../machine/net/command.ts'
import { ipBatch, linkExists } from '../../../machine/net/links.ts'
import { createNamespace, deleteNamespace, listNamespaces } from '../../../machine/net/namespaces.ts'
import { listTables } from '../../../machine/net/nft.ts'
import { aliasOf, hostLinkOf, hostTableOf, namespaceOf, socketOf } from './names.ts'
import { removeEverything } from './remove.ts'

const guards = async () => (await mustRun(['ip', 'route', 'show', 'type', 'unreachable'])).trim()

test('an external network', async (t) => {
  const engine = await startEngine(t)
  const cloud = await startTestNetworkHost(t, engine, { publicNat: true, graceMs: 0, inventoryEveryMs: 200 })
  const range = subnet('198.18.220.0/24', '198.18.220.1')
  const range6 = subnet('fd00:220::/64', 'fd00:220::1')
  const groupId = randomUUID()
  const both = (['IPv4', 'IPv6'] as const).flatMap((ethertype) => [
    rule({ ethertype, direction: 'egress' }),
    rule({ ethertype, protocol: 'icmp' }),
  ])
  await cloud.group({ groupId, rules: both })
  const { networkId, report } = await cloud.network({ external: true, subnets: [range, range6] })
  assert.equal(report.state, 'present', report.message ?? '')
  const fixedIps = [
    { subnetId: range.subnetId, ipAddress: '198.18.220.5' },
    { subnetId: range6.subnetId, ipAddress: 'fd00:220::5' },
  ]
  const { portId } = await cloud.port({ networkId, fixedIps, securityGroupIds: [groupId] })
  const server = await cloud.server([{ portId, networkId }])
  const ping = async (address: string) => (await runTool(['busybox', 'ping', '-c', '1', '-W', '1', address])).code === 0
  const link = hostLinkOf(networkId)

  await t.test('servers reach the machine, and the machine reaches them as their groups allow', async () => {
    assert.equal(await server.reaches('198.18.220.1'), true)
    assert.equal(await server.reaches('fd00:220::1'), true)
    assert.equal(await ping('198.18.220.5'), true)
    assert.equal(await ping('fd00:220::5'), true)
    await cloud.group({ groupId, rules: both.slice(0, 1) })
    assert.equal(await ping('198.18.220.5'), false)
    assert.equal(await server.reaches('198.18.220.1'), true)
  })

  await t.test('what goes further is masqueraded, and the range is guarded', async () => {
    assert.equal((await readFile('/proc/sys/net/ipv4/ip_forward', 'utf8')).trim(), '1')
    const rules = await mustRun(['nft', 'list', 'table', 'inet', hostTableOf(cloud.cloudId)])
    assert.match(rules, /ip saddr 198\.18\.220\.0\/24 ip daddr != 198\.18\.220\.0\/24 oifname != "brx\*" masquerade/)
    assert.match(await guards(), /unreachable 198\.18\.220\.0\/24/)
    await mustRun(['ip', 'link', 'set', link, 'down'])
    assert.match((await runTool(['ip', 'route', 'get', '198.18.220.5'])).stderr, /No route to host/)
  })

  await t.test('a host that starts again mends it', async () => {
    await cloud.restart()
    assert.equal(await server.reaches('198.18.220.1'), true)
    await mustRun(['ip', 'link', 'delete', link])
    await cloud.restart()
    assert.equal(await server.reaches('198.18.220.1'), true)
  })

  await t.test('a range that the machine has elsewhere is refused', async () => {
    const { report, networkId: twin } = await cloud.network({ external: true, subnets: [range] })
    assert.equal(report.state, 'error')
    assert.match(report.message ?? '', new RegExp(`198.18.220.0/24 on its link ${link}`))
    await cloud.network({ networkId: twin, external: true, subnets: [], wish: 'absent' })
    assert.equal(await server.reaches('198.18.220.1'), true)
    assert.match(await guards(), /unreachable 198\.18\.220\.0\/24/)
  })

  await t.test('a subnet that goes takes its address, rule and guard along', async () => {
    const other = subnet('198.18.221.0/24', '198.18.221.1')
    await cloud.network({ networkId, external: true, subnets: [range, other] })
    assert.match(await guards(), /198\.18\.221/)
    await cloud.network({ networkId, external: true, subnets: [range] })
    assert.doesNotMatch(await guards(), /198\.18\.221/)
    assert.doesNotMatch(await mustRun(['ip', 'address', 'show', 'dev', link]), /198\.18\.221/)
    assert.doesNotMatch(await mustRun(['nft', 'list', 'ruleset']), /198\.18\.221/)
  })

  await t.test('what nobody asked for goes; what other clouds have stays', async () => {
    const [stray, foreign] = [namespaceOf(randomUUID()), namespaceOf(randomUUID())]
    for (const [name, owner] of [
      [stray, cloud.cloudId],
      [foreign, randomUUID()],
    ] as const) {
      await createNamespace(name)
      await ipBatch(name, ['link add br0 type bridge', `link set br0 alias ${aliasOf(owner)}`])
    }
    const deadline = performance.now() + 10_000
    while ((await listNamespaces()).includes(stray)) assert.ok(performance.now() < deadline, 'it is still there')
    assert.ok((await listNamespaces()).includes(foreign))
    await deleteNamespace(foreign)
    assert.equal(await server.reaches('198.18.220.1'), true)
  })

  await t.test('removeEverything leaves nothing of this cloud, and others alone', async () => {
    const foreign = namespaceOf(randomUUID())
    await createNamespace(foreign)
    try {
      await engine.engine.send('DELETE', `/containers/${server.id}`, {
        query: { force: true },
        signal: AbortSignal.timeout(20_000),
      })
      await cloud.stop()
      await removeEverything(cloud.cloudId, { engine: engine.engine, stateDir: cloud.stateDir })
      assert.ok((await listNamespaces()).includes(foreign))
    } finally {
      await deleteNamespace(foreign)
    }
    assert.ok(!(await listNamespaces()).includes(namespaceOf(networkId)))
    assert.equal(await linkExists(link), false)
    assert.doesNotMatch(await guards(), /198\.18\.22/)
    assert.ok(!(await listTables(null)).includes(`inet ${hostTableOf(cloud.cloudId)}`))
    assert.equal((await runTool(['test', '-e', socketOf(cloud.cloudId)])).code, 1)
    const left = await engine.engine.json<{ Name: string }[]>('GET', '/networks', { signal: AbortSignal.timeout(5000) })
    assert.deepEqual(
      left.filter(({ Name }) => Name.startsWith('qnet')),
      [],
    )
  })
})
