import { readFileSync } from 'node:fs'

/** Source: os-resource-classes 1.1. */
export const standardClasses: ReadonlySet<string> = new Set([
  ...['VCPU', 'MEMORY_MB', 'DISK_GB', 'PCI_DEVICE', 'SRIOV_NET_VF', 'NUMA_SOCKET', 'NUMA_CORE', 'NUMA_THREAD'],
  ...['NUMA_MEMORY_MB', 'IPV4_ADDRESS', 'VGPU', 'VGPU_DISPLAY_HEAD', 'NET_BW_EGR_KILOBIT_PER_SEC'],
  ...['NET_BW_IGR_KILOBIT_PER_SEC', 'PCPU', 'MEM_ENCRYPTION_CONTEXT', 'FPGA', 'PGPU'],
  ...['NET_PACKET_RATE_KILOPACKET_PER_SEC', 'NET_PACKET_RATE_EGR_KILOPACKET_PER_SEC'],
  'NET_PACKET_RATE_IGR_KILOPACKET_PER_SEC',
])

/** Source: the names that os-traits 2.9 gives. */
export const standardTraits: ReadonlySet<string> = new Set(
  readFileSync(new URL('./standard-traits.txt', import.meta.url), 'utf8')
    .trim()
    .split('\n'),
)

/** The trait of a provider that lends what it has to all trees with which it shares an aggregate. */
export const sharing = 'MISC_SHARES_VIA_AGGREGATE'
