import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { test } from 'node:test'
import { startEngine } from '../../../../test/support/engine.ts'
import { converse, defaultRules, startTestNetworkHost, subnet } from '../../../../test/support/network-host.ts'

test('a restart of the host role loses no packet, and cuts no stream, within a subnet or through a router', async (t) => {
  const cloud = await startTestNetworkHost(t, await startEngine(t))
  const ranges = [
    { ...subnet('10.0.0.0/24', '10.0.0.1'), enableDhcp: true },
    { ...subnet('10.0.1.0/24', '10.0.1.1'), enableDhcp: true },
  ]
  const networks = await Promise.all(
    ranges.map(async (range, n) => {
      const dhcp = { portId: randomUUID(), macAddress: `fa:16:3e:00:00:0${n}`, addresses: [`10.0.${n}.2/24`] }
      return (await cloud.network({ subnets: [range], dhcp })).networkId
    }),
  )
  const groupId = randomUUID()
  const addresses = ['10.0.0.5', '10.0.0.6', '10.0.1.5']
  const members = addresses.map((ipAddress) => ({ networkId: networks[Number(ipAddress[5])]!, ipAddress }))
  const open = { direction: 'ingress', ethertype: 'IPv4', protocol: null, portRangeMin: null } as const
  const anybody = {
    ...open,
    ruleId: randomUUID(),
    portRangeMax: null,
    remoteIpPrefix: '10.0.0.0/8',
    remoteGroupId: null,
  }
  await cloud.group({ groupId, rules: [...defaultRules(groupId), anybody], members })
  const servers = []
  for (const [n, ipAddress] of addresses.entries()) {
    const at = n < 2 ? 0 : 1
    const fixedIps = [{ subnetId: ranges[at]!.subnetId, ipAddress }]
    const { portId } = await cloud.port({ networkId: networks[at]!, fixedIps, securityGroupIds: [groupId] })
    servers.push(await cloud.server([{ portId, networkId: networks[at]! }]))
  }
  const end = (n: number) => ({
    ...{ portId: randomUUID(), networkId: networks[n]!, macAddress: `fa:16:3e:00:01:0${n}`, mtu: 1450 },
    ...{ adminStateUp: true, addresses: [`10.0.${n}.1/24`] },
  })
  const { report } = await cloud.router({ interfaces: [end(0), end(1)] })
  assert.equal(report.state, 'present', report.message ?? '')
  const [one, two, far] = servers
  assert.ok(one && two && far)
  for (let tries = 0; tries < 50 && !(await one.reaches('10.0.1.5')); tries++);

  const streams = [await converse(t, one, two, '10.0.0.6', 7001), await converse(t, one, far, '10.0.1.5', 7002)]
  const pings = ['10.0.0.6', '10.0.1.5'].map((address) => {
    const inside = [`--net=/proc/${one.pid}/ns/net`, 'ping', '-i', '0.02', '-W', '1', address]
    const child = spawn('nsenter', inside, { stdio: ['ignore', 'pipe', 'inherit'] })
    let said = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    t.after(() => void child.kill('SIGKILL'))
    /** The numbers that were answered, some of them after the last restart. What is on its way at the end is not waited for. */
    return async () => {
      while (said.split('\n').length < 30) await once(child.stdout, 'data')
      child.kill('SIGINT')
      await once(child, 'close')
      return [...said.matchAll(/icmp_seq=(\d+)/g)].map(([, number]) => Number(number))
    }
  })
  for (const round of ['first', 'second']) {
    await cloud.restart()
    for (const stream of streams) assert.equal(await stream.echo(`${round} word`, 2000), true)
  }
  for (const answered of pings) {
    const numbers = await answered()
    assert.deepEqual(
      numbers,
      numbers.map((_, n) => n + 1),
      'none is missing',
    )
  }
})
