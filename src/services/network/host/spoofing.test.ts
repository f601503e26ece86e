import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { startEngine } from '../../../../test/support/engine.ts'
import { defaultRules, type Server, startTestNetworkHost, subnet } from '../../../../test/support/network-host.ts'

const mac = (text: string) => Buffer.from(text.replaceAll(':', ''), 'hex')
const ip = (text: string) => Buffer.from(text.split('.').map(Number))
const word = (value: number) => Buffer.from([value >> 8, value & 0xff])
const frame = (to: string, from: string, type: number, ...rest: Buffer[]) =>
  Buffer.concat([mac(to), mac(from), word(type), ...rest])

/** Source: RFC 791 §3.1, RFC 768; no UDP checksum. */
function udp(from: string, to: string, [sport, dport]: readonly [number, number], content: Buffer): Buffer {
  const head = Buffer.concat([
    ...[Buffer.from([0x45, 0]), word(28 + content.length), word(1), word(0), Buffer.from([64, 17]), word(0)],
    ...[ip(from), ip(to)],
  ])
  let sum = 0
  for (let i = 0; i < head.length; i += 2) sum += head.readUInt16BE(i)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16)
  head.writeUInt16BE(~sum & 0xffff, 10)
  return Buffer.concat([head, word(sport), word(dport), word(8 + content.length), word(0), content])
}

/** Source: RFC 826. */
const arp = (operation: number, hardware: string, address: string, to: string) =>
  Buffer.concat([
    ...[word(1), word(0x0800), Buffer.from([6, 4]), word(operation), mac(hardware), ip(address)],
    ...[mac('00:00:00:00:00:00'), ip(to)],
  ])

const sender = `
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('eth0', 0))
for line in sys.stdin: s.send(bytes.fromhex(line))
`
/** Without the kernel's taking VLAN tags off unseen: the marker is in the content. */
const listener = `
import socket, re, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)); s.bind(('eth0', 3))
print('ready', flush=True)
while True:
    for name in re.findall(rb'<([a-z0-9 ]+)>', s.recv(65535)): print(name.decode(), flush=True)
`
const inside = (server: Server, script: string) =>
  spawn('nsenter', [`--net=/proc/${server.pid}/ns/net`, 'python3', '-c', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })

test('what a server sends in the name of others reaches nobody', async (t) => {
  const cloud = await startTestNetworkHost(t, await startEngine(t))
  const range = subnet('10.0.0.0/24', '10.0.0.1')
  const { networkId } = await cloud.network({ subnets: [range] })
  const groupId = randomUUID()
  const members = ['10.0.0.5', '10.0.0.6'].map((ipAddress) => ({ networkId, ipAddress }))
  await cloud.group({ groupId, rules: defaultRules(groupId), members })
  const [own, other] = ['fa:16:3e:00:00:05', 'fa:16:3e:00:00:06']
  const serverAt = async (macAddress: string, ipAddress: string) => {
    const fixedIps = [{ subnetId: range.subnetId, ipAddress }]
    const { portId } = await cloud.port({ networkId, macAddress, fixedIps, securityGroupIds: [groupId] })
    return cloud.server([{ portId, networkId }])
  }
  const thief = await serverAt(own, '10.0.0.5')
  const neighbour = await serverAt(other, '10.0.0.6')
  assert.equal(await thief.reaches('10.0.0.6'), true)

  const marked = (name: string) => Buffer.from(`<${name}>`.padEnd(32))
  const all = 'ff:ff:ff:ff:ff:ff'
  const say = (name: string, from = '10.0.0.5', ports: readonly [number, number] = [7, 7]) =>
    udp(from, '10.0.0.6', ports, marked(name))
  const forged: Record<string, Buffer> = {
    'another mac': frame(other, 'fa:16:3e:99:99:99', 0x0800, say('another mac')),
    'the neighbours mac': frame(all, other, 0x0800, say('the neighbours mac')),
    'another address': frame(other, own, 0x0800, say('another address', '10.0.0.7')),
    'the gateways address': frame(other, own, 0x0800, say('the gateways address', '10.0.0.1')),
    'arp for the gateway': frame(all, own, 0x0806, arp(2, own, '10.0.0.1', '10.0.0.6'), marked('arp for the gateway')),
    'arp of another': frame(
      all,
      own,
      0x0806,
      arp(1, 'fa:16:3e:99:99:99', '10.0.0.5', '10.0.0.6'),
      marked('arp of another'),
    ),
    'a dhcp server': frame(other, own, 0x0800, say('a dhcp server', '10.0.0.5', [67, 68])),
    'a vlan tag': frame(other, own, 0x8100, word(42), word(0x0800), say('a vlan tag')),
    'two vlan tags': frame(other, own, 0x88a8, word(1), word(0x8100), word(2), word(0x0800), say('two vlan tags')),
    'another protocol': frame(other, own, 0x88cc, marked('another protocol')),
  }
  const honest = {
    'an honest packet': frame(other, own, 0x0800, say('an honest packet')),
    'an honest arp': frame(all, own, 0x0806, arp(1, own, '10.0.0.5', '10.0.0.6'), marked('an honest arp')),
    'the last': frame(other, own, 0x0800, say('the last')),
  }
  const ears = inside(neighbour, listener)
  t.after(() => void ears.kill('SIGKILL'))
  const heard: string[] = []
  const listening = (async () => {
    let rest = ''
    for await (const chunk of ears.stdout.setEncoding('utf8') as AsyncIterable<string>) {
      const lines = `${rest}${chunk}`.split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        if (line === 'ready') {
          const frames = [...Object.values(forged), ...Object.values(honest)].map((one) => one.toString('hex'))
          inside(thief, sender).stdin.end(`${frames.join('\n')}\n`)
        } else heard.push(line)
        if (line === 'the last') return
      }
    }
  })()
  await listening
  // Frames of one sender keep their order: what had come through would be there by now.
  // An answer of the neighbour's that quotes a packet is heard too.
  assert.deepEqual([...new Set(heard)], Object.keys(honest))
})
