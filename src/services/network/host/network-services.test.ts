import assert from 'node:assert/strict'
import { createHmac, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { startEngine } from '../../../../test/support/engine.ts'
import { rule, type Server, startTestNetworkHost, subnet, until } from '../../../../test/support/network-host.ts'
import { dnsmasqFolder } from './dnsmasq.ts'

const secret = 'shared'

/** A metadata service that says who it was told asked. */
async function upstream(t: TestContext) {
  const server = createServer((request, response) => {
    const { host: _, ...headers } = request.headers
    response.end(JSON.stringify({ url: request.url, headers }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, sharedSecret: secret }
}

/** What a DHCP client was given, as udhcpc's script sees it. */
async function dhcp(t: TestContext, server: Server): Promise<Record<string, string>> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-dhcp-'))
  t.after(() => rm(folder, { recursive: true }))
  const script = join(folder, 'script')
  await writeFile(script, `#!/bin/sh\n[ "$1" = bound ] && env > ${folder}/lease\nexit 0\n`)
  await chmod(script, 0o755)
  const ask = ['busybox', 'udhcpc', '-f', '-q', '-n', '-t', '3', '-T', '1', '-i', 'eth0', '-s', script]
  const { ok, output } = await server.run([...ask, '-O', 'staticroutes', '-O', 'mtu'])
  if (!ok) return { failed: output }
  const lines = (await readFile(join(folder, 'lease'), 'utf8')).split('\n')
  return Object.fromEntries(lines.map((line) => [line.split('=')[0], line.slice(line.indexOf('=') + 1)]))
}

test('DHCP, DNS and metadata of a network', async (t) => {
  const metadata = await upstream(t)
  const cloud = await startTestNetworkHost(t, await startEngine(t), { metadata })
  const range = { ...subnet('10.0.0.0/24', '10.0.0.1'), enableDhcp: true }
  const dhcpPort = { portId: randomUUID(), macAddress: 'fa:16:3e:00:00:02', addresses: ['10.0.0.2/24'] }
  const { networkId, report } = await cloud.network({ subnets: [range], dhcp: dhcpPort })
  assert.equal(report.state, 'present', report.message ?? '')
  const groupId = randomUUID()
  await cloud.group({ groupId, rules: [rule({ direction: 'egress' })] })
  const [deviceId, projectId] = [randomUUID(), randomUUID()]
  const serverAt = async (ipAddress: string, more = {}) => {
    const fixedIps = [{ subnetId: range.subnetId, ipAddress }]
    const wanted = { networkId, fixedIps, securityGroupIds: [groupId], metadataRoute: true, deviceId, projectId }
    const { portId, report } = await cloud.port({ ...wanted, ...more })
    assert.equal(report.state, 'down', report.message ?? '')
    return cloud.server([{ portId, networkId }])
  }
  const extraDhcpOptions = [{ name: 'tftp-server', value: '10.0.0.77', ipVersion: 4 }]
  const server = await serverAt('10.0.0.5', { dnsName: 'web', extraDhcpOptions })

  /** By hand: the wget of Debian 12's static busybox ends by SIGSEGV when it is given a time limit. */
  const fetchFrom = async (one: Server, headers: readonly string[] = []) => {
    const request = ['GET /latest/meta-data/ HTTP/1.0', ...headers, '', ''].join('\\r\\n')
    const { output } = await one.run([
      'sh',
      '-c',
      `(printf '${request}'; sleep 0.5) | busybox nc -w 2 169.254.169.254 80`,
    ])
    const [, body] = output.split('\r\n\r\n')
    return body ? JSON.parse(body) : null
  }
  await until(async () => (await fetchFrom(server)) !== null)

  await t.test('the metadata service learns who asks, whatever the server says it is', async () => {
    const { url, headers } = await fetchFrom(server, ['X-Instance-ID: other', 'X-Forwarded-For: 10.0.0.9'])
    assert.equal(url, '/latest/meta-data/')
    assert.equal(headers['x-forwarded-for'], '10.0.0.5')
    assert.equal(headers['x-instance-id'], deviceId)
    assert.equal(headers['x-tenant-id'], projectId)
    assert.equal(headers['x-instance-id-signature'], createHmac('sha256', secret).update(deviceId).digest('hex'))
  })

  await t.test('a packet for the metadata service is taken up though it was sent to the gateway', async () => {
    const other = await serverAt('10.0.0.6', { metadataRoute: false })
    // No router is there: the gateway's address is bound to a neighbour by hand, as if one had answered.
    await other.run(['ip', 'neighbour', 'replace', '10.0.0.1', 'lladdr', 'fa:16:3e:99:99:99', 'dev', 'eth0'])
    assert.equal((await fetchFrom(other))?.headers['x-forwarded-for'], '10.0.0.6')
  })

  await t.test('a client of DHCP gets its own address and what its subnet says', async () => {
    const lease = await dhcp(t, server)
    assert.equal(lease.ip, '10.0.0.5', lease.failed ?? '')
    assert.equal(lease.router, '10.0.0.1')
    assert.equal(lease.dns, '10.0.0.2')
    assert.equal(lease.mtu, '1450')
    assert.equal(lease.domain, 'openstacklocal')
    assert.equal(lease.staticroutes, '169.254.169.254/32 10.0.0.2 0.0.0.0/0 10.0.0.1')
    assert.equal(lease.serverid, '10.0.0.2')
  })

  const resolve = async (name: string) => (await server.run(['busybox', 'nslookup', name, '10.0.0.2'])).output

  await t.test('servers have names', async () => {
    assert.match(await resolve('host-10-0-0-6.openstacklocal'), /10\.0\.0\.6/)
    assert.match(await resolve('web.openstacklocal'), /10\.0\.0\.5/)
    assert.match(await resolve('nobody.openstacklocal'), /NXDOMAIN/)
  })

  await t.test('a restart leaves the process alone, and a change reaches it', async () => {
    const pidOf = () => readFile(join(dnsmasqFolder(cloud.cloudId, networkId), 'pid'), 'utf8')
    const before = await pidOf()
    await cloud.restart()
    await until(async () => (await fetchFrom(server)) !== null)
    assert.equal(await pidOf(), before)
    await serverAt('10.0.0.7', { dnsName: 'late' })
    await until(async () => /10\.0\.0\.7/.test(await resolve('late.openstacklocal')))
    await cloud.network({ networkId, subnets: [{ ...range, dnsNameservers: ['192.0.2.1'] }], dhcp: dhcpPort })
    await until(async () => (await dhcp(t, server)).dns === '192.0.2.1')
  })
})
