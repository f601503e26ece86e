import { CloudError } from '../../../platform/errors.ts'

type Check = RegExp

const whole = /^\d+$/
const truth = /^(t|true|1|on|y|yes|f|false|0|off|n|no)$/i
const any = /^/

/**
 * The namespaces that upstream knows, with their keys and values. Nothing here acts on them, but a flavor that is shared
 * with a real Nova shall not be told that a slip of the pen is right. Other namespaces are their users' own.
 * Source: Compute user guide, "Extra Specs".
 */
const namespaces: Readonly<Record<string, readonly (readonly [key: RegExp, value: Check])[]>> = {
  accel: [[/^device_profile$/, any]],
  aggregate_instance_extra_specs: [[/^.+$/, any]],
  capabilities: [[/^.+$/, any]],
  hw: [
    [/^cpu_policy$/, /^(dedicated|shared|mixed)$/],
    [/^cpu_thread_policy$/, /^(prefer|isolate|require)$/],
    [/^emulator_threads_policy$/, /^(isolate|share)$/],
    [/^(cpu_(cores|sockets|threads|max_(cores|sockets|threads))|numa_nodes|serial_port_count|max_sockets)$/, whole],
    [/^(numa_(cpus|mem)\.\d+|cpu_realtime_mask|cpu_dedicated_mask|mem_page_size|maxphysaddr_bits)$/, any],
    [/^(cpu_realtime|boot_menu|mem_encryption|hide_hypervisor_id|locked_memory|vif_multiqueue_enabled)$/, truth],
    [/^(pmu|live_migration_.*|sound_model|usb_model|redirected_ports|virtio_packed_ring|tpm_secret_security)$/, any],
    [/^(watchdog_action)$/, /^(none|pause|poweroff|reset|disabled)$/],
    [/^(viommu_model|tpm_model|tpm_version|pci_numa_affinity_policy|maxphysaddr_mode|locked_memory)$/, any],
  ],
  hw_rng: [
    [/^allowed$/, truth],
    [/^rate_(bytes|period)$/, whole],
  ],
  hw_video: [[/^ram_max_mb$/, whole]],
  os: [[/^(secure_boot|resolution|monitors|vram)$/, any]],
  pci_passthrough: [[/^alias$/, any]],
  quota: [
    [/^(cpu|memory|disk_io|vif)_(limit|reservation|shares_share)$/, whole],
    [/^(cpu|memory|disk_io|vif)_shares_level$/, /^(high|normal|low|custom)$/],
    [/^cpu_(shares|period|quota)$/, /^-?\d+$/],
    [/^disk_(read|write|total)_(bytes|iops)_sec(_max(_length)?)?$/, whole],
    [/^vif_(in|out)bound_(average|burst|peak)$/, whole],
  ],
  vmware: [[/^(hw_version|storage_policy)$/, any]],
}

/** Also with a number or a suffix: `resources1:VCPU`, `trait_X:…`. */
const families: readonly (readonly [prefix: RegExp, key: RegExp, value: Check])[] = [
  [/^resources([a-zA-Z0-9_-]{1,64})?$/, /^[A-Z0-9_]+$/, whole],
  [/^trait([a-zA-Z0-9_-]{1,64})?$/, /^[A-Z0-9_]+$/, /^(required|forbidden)$/],
]

/** @throws CloudError `badRequest` for an unknown key or a wrong value in a namespace that is known */
export function checkSpecs(specs: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(specs)) {
    const colon = name.indexOf(':')
    if (colon < 0) continue
    const namespace = name.slice(0, colon)
    const key = name.slice(colon + 1)
    const family = families.find(([prefix]) => prefix.test(namespace))
    const known = family ? [[family[1], family[2]] as const] : namespaces[namespace]
    if (!known) continue
    const rule = known.find(([pattern]) => pattern.test(key))
    if (!rule) {
      const text = `Validation failed; extra spec '${name}' does not appear to be a valid extra spec.`
      throw new CloudError('badRequest', text)
    }
    if (!rule[1].test(value)) {
      throw new CloudError('badRequest', `Validation failed; '${value}' is not a value of the extra spec '${name}'.`)
    }
  }
}
