import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { startEngine } from '../../../../test/support/engine.ts'
import { defaultRules, macOf, startTestNetworkHost, subnet, until } from '../../../../test/support/network-host.ts'
import * as containers from '../../../machine/docker/containers.ts'
import * as networks from '../../../machine/docker/networks.ts'
import { linkExists, listLinks } from '../../../machine/net/links.ts'
import { listNamespaces } from '../../../machine/net/namespaces.ts'
import { namespaceOf, peerOf, tapOf } from './names.ts'

const soon = () => AbortSignal.timeout(30_000)

test('plugging servers in', async (t) => {
  const engine = await startEngine(t)
  const cloud = await startTestNetworkHost(t, engine)
  const range = {
    ...subnet('10.0.0.0/24', '10.0.0.1'),
    hostRoutes: [{ destination: '10.9.0.0/16', nexthop: '10.0.0.254' }],
  }
  const second = subnet('10.0.1.0/24', '10.0.1.1')
  const range6 = subnet('fd00:8::/64', 'fd00:8::1')
  const { networkId } = await cloud.network({ subnets: [range, second, range6], mtu: 1400 })
  const groupId = randomUUID()
  const members = [3, 4, 5, 6].flatMap((n) => [
    { networkId, ipAddress: `10.0.0.${n}` },
    { networkId, ipAddress: `10.0.1.${n}` },
    { networkId, ipAddress: `fd00:8::${n}` },
  ])
  await cloud.group({ groupId, rules: defaultRules(groupId), members })
  const at = (...fixedIps: [{ subnetId: string }, string][]) =>
    fixedIps.map(([{ subnetId }, ipAddress]) => ({ subnetId, ipAddress }))
  const port = (fixedIps: { subnetId: string; ipAddress: string }[], more = {}) =>
    cloud.port({ networkId, fixedIps, securityGroupIds: [groupId], mtu: 1400, ...more }).then(({ portId }) => portId)
  const watcher = await cloud.server([
    { portId: await port(at([range, '10.0.0.3'], [range6, 'fd00:8::3'])), networkId },
  ])

  await t.test('the NIC is there before the first process: MTU, MAC, routes, default route', async () => {
    const { output } = await watcher.run(['ip', 'address', 'show', 'dev', 'eth0'])
    assert.match(output, /mtu 1400/)
    assert.match(output, /fa:16:3e/)
    const routes = (await watcher.run(['ip', 'route'])).output
    assert.match(routes, /default via 10\.0\.0\.1 dev eth0/)
    assert.match(routes, /10\.9\.0\.0\/16 via 10\.0\.0\.254/)
    assert.match((await watcher.run(['ip', '-6', 'route'])).output, /default via fd00:8::1 dev eth0/)
  })

  await t.test('an IPv6-only port, and one with several addresses of both versions', async () => {
    const six = await cloud.server([{ portId: await port(at([range6, 'fd00:8::4'])), networkId }])
    assert.equal(await six.reaches('fd00:8::3'), true)
    assert.doesNotMatch((await six.run(['ip', '-4', 'address', 'show', 'dev', 'eth0'])).output, /inet /)
    const several = at([range, '10.0.0.5'], [second, '10.0.1.5'], [range6, 'fd00:8::5'], [range6, 'fd00:8::6'])
    await cloud.server([{ portId: await port(several), networkId }])
    await until(async () => (await watcher.reaches('10.0.0.5')) && (await watcher.reaches('fd00:8::6')))
    await watcher.run(['ip', 'route', 'add', '10.0.1.0/24', 'dev', 'eth0'])
    await until(() => watcher.reaches('10.0.1.5'))
  })

  await t.test('two NICs on one network, the first with the default route', async () => {
    const nics = [
      await port(at([range, '10.0.0.4'])),
      await port(at([second, '10.0.1.4']), { defaultRoute: false }),
    ].map((portId) => ({ portId, networkId }))
    const server = await cloud.server(nics)
    const addresses = async () => (await server.run(['ip', '-4', '-oneline', 'address'])).output
    await until(async () => /eth1\s+inet 10\.0\.1\.4\/24/.test(await addresses()))
    assert.match(await addresses(), /eth0\s+inet 10\.0\.0\.4\/24/)
    assert.equal((await server.run(['ip', 'route', 'show', 'default'])).output.trim(), 'default via 10.0.0.1 dev eth0')
    await containers.remove(engine.engine, server.id, soon())
    for (const { portId } of nics) await cloud.port({ portId, networkId, wish: 'absent' })
    const taps = (await listLinks(namespaceOf(networkId))).map((link) => link.ifname)
    for (const { portId } of nics) {
      assert.ok(!taps.includes(tapOf(portId)), 'the cable is gone')
      assert.equal(await linkExists(peerOf(portId)), false)
    }
  })

  await t.test('three NICs on one subnet, which Docker by itself refuses', async () => {
    const last = [14, 15, 16]
    const nics: { portId: string; networkId: string }[] = []
    for (const n of last)
      nics.push({ portId: await port(at([range, `10.0.0.${n}`]), { defaultRoute: n === 14 }), networkId })
    const server = await cloud.server(nics)
    const addresses = async () => (await server.run(['ip', '-4', '-oneline', 'address'])).output
    for (const [i, n] of last.entries())
      await until(async () => new RegExp(`eth${i}\\s+inet 10\\.0\\.0\\.${n}/24`).test(await addresses()))
    assert.equal(await watcher.reaches('10.0.0.14'), true)
    await containers.remove(engine.engine, server.id, soon())
    for (const { portId } of nics) await cloud.port({ portId, networkId, wish: 'absent' })
  })

  await t.test(
    'NICs are numbered as asked, whichever has the default route and whatever the networks are called',
    async () => {
      const plan: { portId: string; networkId: string }[] = []
      for (const n of [1, 2, 3, 4]) {
        const own = subnet(`10.20.${n}.0/24`, `10.20.${n}.1`)
        const { networkId } = await cloud.network({ subnets: [own] })
        const fixedIps = at([own, `10.20.${n}.9`])
        const { portId } = await cloud.port({ networkId, fixedIps, defaultRoute: n === 3 })
        plan.push({ portId, networkId })
      }
      // Docker by itself sorts by the networks' names, and puts the gateway's first.
      plan.sort((a, b) => (a.networkId < b.networkId ? 1 : -1))
      const server = await cloud.server(plan)
      for (const [i, { portId }] of plan.entries()) {
        const { ok, output } = await server.run(['ip', '-oneline', 'link', 'show', 'dev', `eth${i}`])
        assert.ok(ok)
        assert.match(output, new RegExp(macOf(portId)), `eth${i}`)
      }
      assert.match((await server.run(['ip', 'route', 'show', 'default'])).output, /^default via 10\.20\.3\.1 dev eth/)
      await containers.remove(engine.engine, server.id, soon())
    },
  )

  await t.test('a NIC for a server that runs, and away again', async () => {
    const own = subnet('10.30.0.0/24', '10.30.0.1')
    const { networkId: other } = await cloud.network({ subnets: [own] })
    const neighbour = await cloud.port({ networkId: other, fixedIps: at([own, '10.30.0.3']), portSecurity: false })
    const second = await cloud.server([{ portId: neighbour.portId, networkId: other }])
    const fixedIps = at([own, '10.30.0.4'])
    const hot = await cloud.port({ networkId: other, fixedIps, securityGroupIds: [groupId], defaultRoute: false })
    const DriverOpts = { 'io.berth.port': hot.portId, 'io.berth.nic': '1' }
    const name = `qnet001-${other}`
    await cloud.plug().ready([hot.portId], [name], soon())
    await networks.connect(engine.engine, name, watcher.id, { DriverOpts }, soon())
    assert.match((await watcher.run(['ip', '-4', '-oneline', 'address'])).output, /eth1\s+inet 10\.30\.0\.4\/24/)
    assert.equal(await watcher.reaches('10.30.0.3'), true)
    assert.equal(await second.reaches('10.30.0.4'), false, 'its rules let nobody in')
    assert.match((await watcher.run(['ip', 'route', 'show', 'default'])).output, /^default via 10\.0\.0\.1 dev eth0/)
    await networks.disconnect(engine.engine, name, watcher.id, soon())
    assert.doesNotMatch((await watcher.run(['ip', '-oneline', 'link'])).output, /eth1/)
    await containers.remove(engine.engine, second.id, soon())
  })

  const moving = await port(at([range, '10.0.0.6']))
  const seen = (state: string) => cloud.reported((r) => r.kind === 'port' && r.id === moving && r.state === state)
  await t.test('a server that restarts regains its NIC; control hears of both', async () => {
    const server = await cloud.server([{ portId: moving, networkId }])
    await seen('active')
    assert.equal(await watcher.reaches('10.0.0.6'), true)
    for (const how of ['restart', 'stop and start', 'kill and start']) {
      if (how === 'restart') await containers.restart(engine.engine, server.id, 0, soon())
      else if (how === 'stop and start') await containers.stop(engine.engine, server.id, 0, soon())
      else {
        await containers.kill(engine.engine, server.id, 'KILL', soon())
        await containers.wait(engine.engine, server.id, 'not-running', soon())
      }
      await containers.start(engine.engine, server.id, soon())
      await until(() => watcher.reaches('10.0.0.6'))
    }
    await containers.stop(engine.engine, server.id, 0, soon())
    await until(async () => cloud.reports.findLast((r) => r.id === moving)?.state === 'down')
    await containers.start(engine.engine, server.id, soon())
    assert.equal(await watcher.reaches('10.0.0.6'), true)
  })

  await t.test('an engine that dies and comes back finds the plug-in, and servers their NICs', async () => {
    for (const end of [engine.kill, engine.stop]) {
      await end()
      await engine.start()
      for (const { Id } of await containers.list(engine.engine, [`io.berth.cloud=${cloud.cloudId}`], soon()))
        await containers.start(engine.engine, Id, soon())
      const again = await cloud.serverOf(watcher.id)
      assert.equal(await again.reaches('10.0.0.6'), true)
    }
  })

  await t.test('both restart, the host first or the engine first', async () => {
    await cloud.restart()
    await engine.kill()
    await engine.start()
    await containers.start(engine.engine, watcher.id, soon())
    const { networkId: fresh } = await cloud.network({ subnets: [range] })
    assert.ok((await networks.list(engine.engine, [], soon())).some((network) => network.Name === `qnet-${fresh}`))
    assert.equal((await cloud.network({ networkId: fresh, subnets: [], wish: 'absent' })).report.state, 'absent')
    assert.ok(!(await networks.list(engine.engine, [], soon())).some((network) => network.Name === `qnet-${fresh}`))
    assert.ok(!(await listNamespaces()).includes(namespaceOf(fresh)))
  })

  await t.test('a network with ports stays; an old order changes nothing; nonsense is refused', async () => {
    const { report } = await cloud.network({ networkId, subnets: [], wish: 'absent' })
    assert.equal(report.state, 'error')
    assert.match(report.message ?? '', /still|active endpoints/)
    await cloud.network({ networkId, subnets: [range, second, range6], mtu: 1400 })
    const bad = await cloud.port({ networkId, macAddress: 'x; drop' })
    assert.equal(bad.report.state, 'error')
    const abort = new AbortController()
    const waiting = cloud.plug().ready([randomUUID()], [networkId], abort.signal)
    abort.abort(new Error('enough'))
    await assert.rejects(waiting, /enough/)
  })
})
