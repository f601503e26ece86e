import type { Host } from '../../../platform/hosts/hosts.ts'
import { newId } from '../../../platform/ids.ts'
import * as serviceRows from '../db/services.ts'
import type { ComputeFacts } from '../messages.ts'
import type { Deps } from './deps.ts'

/** Left to the machine itself, as Nova does it by default. */
const reservedMemoryMiB = 512

/** A compute host has appeared or has new facts: its service gets a row, and Placement its inventories. */
export async function record(deps: Deps, host: Host): Promise<void> {
  const { database, clock, config } = deps.ground
  const service = await serviceRows.findByHost(database.read, host.name)
  let hypervisorId = service?.hypervisor_id ?? newId()
  if (!service) {
    await database.write(async (trx) => {
      const other = await serviceRows.findByHost(trx, host.name)
      if (other) {
        hypervisorId = other.hypervisor_id
        return
      }
      const at = clock.now()
      await serviceRows.insert(trx, {
        ...{ id: newId(), number: await serviceRows.nextNumber(trx), host: host.name, hypervisor_id: hypervisorId },
        ...{ disabled: 0, disabled_reason: null, forced_down: 0, created_at: at, updated_at: at },
      })
    })
  }
  const { vcpus, memoryMiB, diskGiB } = host.facts as unknown as ComputeFacts
  await deps.placement.recordHost(
    host.name,
    new Map([
      ['VCPU', { total: vcpus, reserved: 0, allocationRatio: config.cpuAllocationRatio }],
      [
        'MEMORY_MB',
        {
          total: memoryMiB,
          reserved: Math.min(reservedMemoryMiB, memoryMiB),
          allocationRatio: config.ramAllocationRatio,
        },
      ],
      ['DISK_GB', { total: diskGiB, reserved: 0, allocationRatio: config.diskAllocationRatio }],
    ]),
    hypervisorId,
  )
}
