import { createHash } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import ipaddr from 'ipaddr.js'
import { mustRun } from '../../../machine/net/command.ts'
import { ipBatch, ipBatchForced, listAddresses } from '../../../machine/net/links.ts'
import { applyNft } from '../../../machine/net/nft.ts'
import { CloudError } from '../../../platform/errors.ts'
import type { NetworkOrder } from '../messages.ts'
import { ensureUplink } from './carried.ts'
import { hostLinkOf, hostTableOf } from './names.ts'
import { networkOf } from './rules.ts'

/**
 * Higher than anyone's metric, and each cloud's own: it tells which guards are ours, so that those nobody asks for any
 * more are found, though several clouds share the machine.
 */
const guardMetric = (cloudId: string): number =>
  0xf0000000 + (createHash('sha256').update(cloudId).digest().readUInt32BE() & 0xffffff)

/**
 * The machine's side of all external networks: gateway addresses on its end of each cable, forwarding, and masquerading
 * for what goes further. An unreachable route guards each range, so that while the bridge is away no packet for a
 * server leaves by the machine's uplink. Repeatable; what is not in `networks` any more goes. Answers the networks that
 * could not be joined.
 */
export async function joinExternal(
  cloudId: string,
  networks: readonly NetworkOrder[],
  nat: boolean,
  applied: { forwarding: Set<4 | 6>; script: string },
): Promise<Map<string, Error>> {
  const failed = new Map<string, Error>()
  await guardRanges(
    cloudId,
    networks.flatMap(({ subnets }) => subnets.map(({ cidr }) => networkOf(cidr))),
  )
  for (const network of networks) {
    const { networkId, mtu } = network
    await ensureUplink(networkId, cloudId, mtu)
      .then(() => ensureAddresses(network))
      .catch((error: Error) => failed.set(networkId, error))
  }
  const subnets = networks.flatMap((network) => network.subnets)
  for (const version of [4, 6] as const)
    if (!applied.forwarding.has(version) && subnets.some((subnet) => subnet.ipVersion === version)) {
      await forward(version)
      applied.forwarding.add(version)
    }
  const table = `inet ${hostTableOf(cloudId)}`
  const ranges = nat
    ? subnets.map(({ cidr, ipVersion }) => ({ cidr: networkOf(cidr), family: ipVersion === 4 ? 'ip' : 'ip6' }))
    : []
  const rules = ranges.map(
    ({ cidr, family: f }) => `${f} saddr ${cidr} ${f} daddr != ${cidr} oifname != "brx*" masquerade`,
  )
  const chain = `chain after { type nat hook postrouting priority 100; policy accept;\n${rules.join('\n')}\n}`
  const script = `add table ${table}\ndelete table ${table}\n${rules.length > 0 ? `table ${table} {\n${chain}\n}\n` : ''}`
  if (script !== applied.script) await applyNft(null, script)
  applied.script = script
  return failed
}

async function ensureAddresses({ networkId, subnets }: NetworkOrder): Promise<void> {
  const link = hostLinkOf(networkId)
  const wanted = subnets.flatMap(({ gatewayIp, cidr, ipVersion }) =>
    gatewayIp === null ? [] : [{ address: normal(`${gatewayIp}/${cidr.split('/')[1]}`), version: ipVersion }],
  )
  const present = new Set((await listAddresses(link)).map(normal))
  for (const { cidr } of subnets) await refuseTaken(cidr, link)
  await ipBatch(null, [
    ...wanted.flatMap(({ address, version }) =>
      present.delete(address) ? [] : [`address replace ${address} dev ${link}${version === 6 ? ' nodad' : ''}`],
    ),
    ...[...present].map((address) => `address delete ${address} dev ${link}`),
  ])
}

/** Another cloud of this machine, or the machine's own network, may have the range already: packets would go astray. */
async function refuseTaken(cidr: string, link: string): Promise<void> {
  const text = await mustRun(['ip', '-json', 'route', 'show', 'exact', networkOf(cidr), 'type', 'unicast'])
  const routes = JSON.parse(text.trim() || '[]') as { dev?: string }[]
  const other = routes.find(({ dev }) => dev !== undefined && dev !== link)
  if (other) throw new CloudError('conflict', `this machine already has ${cidr} on its link ${other.dev}`)
}

const normal = (cidr: string): string => {
  const [address, bits] = ipaddr.parseCIDR(cidr)
  return `${address}/${bits}`
}

async function guardRanges(cloudId: string, ranges: readonly string[]): Promise<void> {
  const metric = guardMetric(cloudId)
  const present = new Set<string>()
  for (const family of ['-4', '-6']) {
    const text = await mustRun(['ip', '-json', family, 'route', 'show', 'type', 'unreachable'])
    for (const route of JSON.parse(text.trim() || '[]') as { dst: string; metric?: number }[])
      if (route.metric === metric) present.add(networkOf(route.dst))
  }
  const words = (range: string) => `unreachable ${range} metric ${metric}`
  const missing = ranges.filter((range) => !present.has(range))
  const stale = [...present].filter((range) => !ranges.includes(range))
  await ipBatch(
    null,
    missing.map((range) => `route replace ${words(range)}`),
  )
  await ipBatchForced(
    null,
    stale.map((range) => `route delete ${words(range)}`),
  )
}

/** Lets the machine pass packets on. With IPv6 it would thereby stop listening to its own router, unless told not to. */
async function forward(version: 4 | 6): Promise<void> {
  if (version === 4) return writeFile('/proc/sys/net/ipv4/ip_forward', '1\n')
  const root = '/proc/sys/net/ipv6/conf'
  if ((await readFile(`${root}/all/forwarding`, 'utf8')).trim() === '1') return
  for (const link of await readdir(root)) {
    const path = `${root}/${link}/accept_ra`
    const listens = await readFile(path, 'utf8').catch(() => '0') // a link may vanish meanwhile
    if (listens.trim() === '1') await writeFile(path, '2\n').catch(() => {})
  }
  await writeFile(`${root}/all/forwarding`, '1\n')
}

/** Takes all of it back: routes and rules. The links go with their namespaces. */
export async function leaveExternal(cloudId: string): Promise<void> {
  await guardRanges(cloudId, [])
  const table = `inet ${hostTableOf(cloudId)}`
  await applyNft(null, `add table ${table}\ndelete table ${table}\n`)
}
