import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { until } from '../../../../test/support/network-host.ts'
import { type Machine, startPacketNet } from '../../../../test/support/packet-net.ts'
import { inNamespace } from '../../../machine/net/namespaces.ts'

/** How long 800 kB take from one machine to another. */
async function transferMs(from: Machine, to: Machine, address: string, port: number): Promise<number> {
  const run = ({ namespace }: Machine, script: string): ChildProcess => {
    const [command = '', ...args] = inNamespace(namespace, ['sh', '-c', script])
    return spawn(command, args, { stdio: ['pipe', 'pipe', 'ignore'] })
  }
  const receiver = run(to, `busybox nc -l -p ${port} | wc -c`)
  await until(async () => (await to.run(['cat', '/proc/net/tcp', '/proc/net/tcp6'])).includes(hex(port)))
  const begun = performance.now()
  const sender = run(from, `dd if=/dev/zero bs=1k count=800 2>/dev/null | busybox nc ${address} ${port}`)
  const [count] = (await once(receiver.stdout!, 'data')) as [Buffer]
  const took = performance.now() - begun
  sender.kill('SIGKILL')
  assert.equal(String(count).trim(), `${800 * 1024}`)
  return took
}

const hex = (port: number): string => `:${port.toString(16).toUpperCase().padStart(4, '0')} `

test('a policy limits a port in either direction, marks what it sends, and goes', async (t) => {
  const net = await startPacketNet(t, [])
  const open = { portSecurity: false }
  const { machine: one, port } = await net.attach(open, ['10.0.0.5/24'])
  const { machine: two } = await net.attach(open, ['10.0.0.6/24'])
  const [toOne, toTwo] = [
    (n: number) => transferMs(two, one, '10.0.0.5', n),
    (n: number) => transferMs(one, two, '10.0.0.6', n),
  ]
  const free = [await toOne(9001), await toTwo(9002)]
  // 250 kB a second; of what comes from the port, the kernel lets a second's worth through at once.
  const rate = { kbps: 2000, burstKbits: 1 }
  const policy = async (qos: { ingress: typeof rate | null; egress: typeof rate | null; dscpMark: number | null }) => {
    net.change(port, { qos })
    await net.settle()
  }
  await policy({ ingress: rate, egress: null, dscpMark: null })
  const inwards = await toOne(9003)
  assert.ok(inwards > 1400, `to the port: ${inwards} ms, and without a policy ${free[0]} ms`)
  assert.ok((await toTwo(9004)) < inwards / 2, 'the other direction is as it was')

  await policy({ ingress: null, egress: rate, dscpMark: 26 })
  const outwards = await toTwo(9005)
  assert.ok(outwards > 1400, `from the port: ${outwards} ms, and without a policy ${free[1]} ms`)
  assert.ok((await toOne(9006)) < outwards / 2, 'the limit of before is gone')

  await two.run(['nft', 'add table ip seen; add chain ip seen in { type filter hook input priority 0; }'])
  await two.run(['nft', 'add rule ip seen in ip saddr 10.0.0.5 ip dscp 26 counter'])
  await one.run(['busybox', 'ping', '-c', '1', '-W', '5', '10.0.0.6'])
  assert.match(await two.run(['nft', 'list', 'table', 'ip', 'seen']), /counter packets [1-9]/)

  await policy({ ingress: null, egress: null, dscpMark: null })
  assert.ok((await toTwo(9007)) < outwards / 2)
})
