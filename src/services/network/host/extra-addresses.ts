import { access } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { ipBatchForced, listLinks } from '../../../machine/net/links.ts'

const pauseMs = 20
const patienceMs = 60_000

/**
 * Gives a container's NIC the addresses that Docker cannot be told of. Docker answers `Join` before the container's
 * namespace is there and has no word for "moved", so this looks until the NIC appears in it.
 */
export async function addExtraAddresses(
  sandboxKey: string,
  macAddress: string,
  addresses: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  for (
    const deadline = performance.now() + patienceMs;
    performance.now() < deadline;
    await delay(pauseMs, undefined, { signal })
  ) {
    const there = await access(sandboxKey).then(
      () => true,
      () => false,
    )
    if (!there) continue
    const links = await listLinks(sandboxKey).catch(() => [])
    const nic = links.find(({ address, flags }) => address === macAddress.toLowerCase() && flags.includes('UP'))
    if (!nic) continue
    const words = (address: string) =>
      `address add ${address} dev ${nic.ifname}${address.includes(':') ? ' nodad' : ''}`
    const refused = (await ipBatchForced(sandboxKey, addresses.map(words))).filter(
      (r) => !/File exists/.test(r.message),
    )
    if (refused[0]) throw new Error(`${refused[0].line}: ${refused[0].message}`)
    return
  }
  throw new Error(`no NIC ${macAddress} appeared in ${sandboxKey}`)
}
