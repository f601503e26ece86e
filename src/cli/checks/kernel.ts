import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import { userNamespacesRefusal } from '../kernel.ts'
import { findProgram } from '../tools.ts'
import { type Finding, fail, ok, warn } from './finding.ts'

const exec = promisify(execFile)

/** Each is tried in namespaces of its own, which the kernel removes with the process. */
const trials: readonly { feature: string; script: string; module: string }[] = [
  { feature: 'veth', script: 'ip link add t0 type veth peer name t1', module: 'veth' },
  { feature: 'bridge', script: 'ip link add t0 type bridge', module: 'bridge' },
  { feature: 'vxlan', script: 'ip link add t0 type vxlan id 7 dstport 4789 dev lo', module: 'vxlan' },
  {
    feature: 'nf_tables with connection tracking',
    script: 'nft add table ip t && nft add chain ip t c && nft add rule ip t c ct state established accept',
    module: 'nf_tables',
  },
  {
    feature: 'nf_tables on bridges',
    script: 'nft add table bridge t && nft add map bridge t m "{ type ifname : mark; }"',
    module: 'nf_tables_bridge',
  },
  {
    feature: 'nf_tables address translation',
    script:
      'nft add table ip t && nft "add chain ip t c { type nat hook postrouting priority 100; }" && nft add rule ip t c masquerade',
    module: 'nft_masq',
  },
  {
    feature: 'overlay file systems',
    script:
      'mount -t tmpfs t /mnt && cd /mnt && mkdir l u w m && mount -t overlay t -o lowerdir=l,upperdir=u,workdir=w m',
    module: 'overlay',
  },
]

/** What the data path and the engine ask of the kernel, found by doing it. */
export async function checkKernel(): Promise<Finding[]> {
  if (process.getuid?.() !== 0) return [warn('kernel features: not tried', 'run berth doctor as root')]
  if (!findProgram('ip') || !findProgram('nft')) return [warn('kernel features: not tried', 'ip and nft are missing')]
  const findings = await Promise.all(
    trials.map(async ({ feature, script, module }) => {
      try {
        await exec('unshare', ['--net', '--mount', 'sh', '-ec', `ip link set lo up; ${script}`], { timeout: 10_000 })
        return ok(`kernel: ${feature}`)
      } catch (error) {
        const reason = (error as { stderr?: string }).stderr?.trim().split('\n').at(-1) ?? ''
        return fail(`kernel: no ${feature} (${reason})`, `modprobe ${module}, or a kernel that has it`)
      }
    }),
  )
  const filtered = existsSync('/proc/sys/net/bridge/bridge-nf-call-iptables')
  const refusal = userNamespacesRefusal()
  return [
    ...findings,
    filtered
      ? ok('kernel: bridged traffic passes the IP filter')
      : fail('kernel: bridged traffic does not pass the IP filter', 'modprobe br_netfilter: security groups need it'),
    refusal === null
      ? ok('kernel: user namespaces')
      : warn(`kernel: no user namespaces: ${refusal}`, 'root in a server is root of the machine without its rights'),
  ]
}
