import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { startEngine } from '../../../../test/support/engine.ts'
import { defaultRules, startTestNetworkHost, subnet } from '../../../../test/support/network-host.ts'

test('servers with the same address on two networks reach only their own neighbours', async (t) => {
  const cloud = await startTestNetworkHost(t, await startEngine(t))
  const sides = await Promise.all(
    [1, 2].map(async () => {
      const range = subnet('10.0.0.0/24', '10.0.0.1')
      const range6 = subnet('fd00:5::/64', 'fd00:5::1')
      const { networkId, report } = await cloud.network({ subnets: [range, range6] })
      assert.equal(report.state, 'present', report.message ?? '')
      const groupId = randomUUID()
      const members = ['10.0.0.5', '10.0.0.6', 'fd00:5::5', 'fd00:5::6'].map((ipAddress) => ({ networkId, ipAddress }))
      await cloud.group({ groupId, rules: defaultRules(groupId), members })
      const ports = await Promise.all(
        [5, 6].map(async (n) => {
          const fixedIps = [
            { subnetId: range.subnetId, ipAddress: `10.0.0.${n}` },
            { subnetId: range6.subnetId, ipAddress: `fd00:5::${n}` },
          ]
          const { portId, report } = await cloud.port({ networkId, fixedIps, securityGroupIds: [groupId] })
          assert.equal(report.state, 'down', report.message ?? '')
          return portId
        }),
      )
      return { networkId, ports }
    }),
  )
  const [a, b] = sides as [(typeof sides)[0], (typeof sides)[0]]
  const first = await cloud.server([{ portId: a.ports[0]!, networkId: a.networkId }])
  const other = await cloud.server([{ portId: b.ports[0]!, networkId: b.networkId }])
  assert.equal(await first.reaches('10.0.0.6'), false)
  const neighbour = await cloud.server([{ portId: a.ports[1]!, networkId: a.networkId }])
  assert.equal(await first.reaches('10.0.0.6'), true)
  assert.equal(await first.reaches('fd00:5::6'), true)
  assert.equal(await neighbour.reaches('fd00:5::5'), true)
  assert.equal(await other.reaches('10.0.0.6'), false)
})
