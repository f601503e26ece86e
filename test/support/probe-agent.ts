/**
 * A machine of the packet tests: run in a network namespace, it answers on its ports and tries connections when told.
 * One JSON object a line: `Probe` in, `{ id, ok }` out.
 */
import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { connect, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import type { Probe } from './packet-net.ts'

const ports = process.argv.slice(2).map(Number)

for (const port of ports) {
  createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(port, '::')
  const udp = createSocket({ type: 'udp6', ipv6Only: false })
  udp.on('message', (text, from) => udp.send(text, from.port, from.address))
  udp.bind(port, '::')
}

const attempts: Record<Probe['protocol'], (probe: Probe) => Promise<boolean>> = {
  tcp: ({ address, port, patienceMs }) =>
    new Promise((resolve) => {
      const socket = connect({ host: address, port })
      const end = (ok: boolean) => {
        clearTimeout(timer)
        socket.destroy()
        resolve(ok)
      }
      const timer = setTimeout(() => end(false), patienceMs)
      socket.on('connect', () => socket.write('hello'))
      socket.on('data', () => end(true))
      socket.on('error', () => end(false))
    }),
  udp: ({ address, port, patienceMs }) =>
    new Promise((resolve) => {
      const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
      const send = () => socket.send('hello', port, address, () => {})
      const end = (ok: boolean) => {
        clearTimeout(timer)
        clearInterval(again)
        socket.close()
        resolve(ok)
      }
      const timer = setTimeout(() => end(false), patienceMs)
      const again = setInterval(send, 200) // the first may be lost while the neighbour is looked for
      socket.on('message', () => end(true))
      socket.on('error', () => end(false))
      send()
    }),
  icmp: ({ address, patienceMs }) =>
    new Promise((resolve) => {
      const family = address.includes(':') ? '-6' : '-4'
      const ping = spawn('busybox', ['ping', family, '-c', '50', '-i', '0.2', address], {
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      const timer = setTimeout(() => ping.kill('SIGKILL'), patienceMs)
      let ok = false
      ping.stdout.on('data', (text: Buffer) => {
        if (!text.includes('bytes from')) return
        ok = true
        ping.kill('SIGKILL')
      })
      ping.on('close', () => {
        clearTimeout(timer)
        resolve(ok)
      })
    }),
}

createInterface({ input: process.stdin }).on('line', async (line) => {
  const probe = JSON.parse(line) as Probe & { id: number }
  const ok = await attempts[probe.protocol](probe)
  process.stdout.write(`${JSON.stringify({ id: probe.id, ok })}\n`)
})
process.stdin.on('end', () => process.exit())
process.stdout.write(`${JSON.stringify({ id: 0, ok: true })}\n`)
