import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import { type ActionHandlers, strict } from './action-handler.ts'
import { IpAddress, requireUntil } from './common.ts'
import { floatingIpsOf, lead } from './floating-ips.ts'

/** Until 2.43. Source: Compute API reference, "Add (Associate) Floating IP (addFloatingIp Action)", "Remove …". */
export const floatingIpActions: ActionHandlers = {
  addFloatingIp: {
    policy: 'os_compute_api:os-floating-ips:add',
    schema: Type.Object({ address: IpAddress, fixed_address: Type.Optional(IpAddress) }, strict),
    async run(deps, request, reply, server, wanted: { address: string; fixed_address?: string }) {
      requireUntil(request, '2.43')
      const ports = (await deps.network.serverPorts(deps.ground.database.read, [server.id])).get(server.id) ?? []
      const fixed = ports.flatMap(({ portId, fixedIps }) => fixedIps.map((ip) => ({ ...ip, portId })))
      if (ports.length === 0) throw new CloudError('badRequest', 'Instance network is not ready yet')
      if (fixed.length === 0) throw new CloudError('badRequest', 'No fixed IPs associated to instance')
      const { address, fixed_address: asked } = wanted
      const target = fixed.find((ip) => (asked === undefined ? ip.version === 4 : ip.ipAddress === asked))
      if (!target) {
        const why =
          asked === undefined
            ? `Unable to associate floating IP ${address} to any fixed IPs for instance ${server.id}. Instance has no fixed IPv4 addresses to associate.`
            : 'Specified fixed address not assigned to instance'
        throw new CloudError('badRequest', why)
      }
      const [floating] = await floatingIpsOf(deps, request, address)
      if (!floating) throw new CloudError('notFound', 'floating IP not found')
      await lead(deps, request, floating.id, { portId: target.portId, fixedIp: target.ipAddress }).catch((thrown) => {
        if (!(thrown instanceof CloudError) || thrown.kind === 'forbidden') throw thrown
        const to = `floating IP ${address} to fixed IP ${target.ipAddress} for instance ${server.id}`
        throw new CloudError('badRequest', `Unable to associate ${to}. Error: ${thrown.message}`, { cause: thrown })
      })
      return reply.code(202).send()
    },
  },

  removeFloatingIp: {
    policy: 'os_compute_api:os-floating-ips:remove',
    schema: Type.Object({ address: IpAddress }, strict),
    async run(deps, request, reply, server, { address }: { address: string }) {
      requireUntil(request, '2.43')
      const [floating] = await floatingIpsOf(deps, request, address)
      if (!floating) throw new CloudError('notFound', 'floating IP not found')
      if (floating.port_details?.device_id !== server.id) {
        throw new CloudError('conflict', `Floating IP ${address} is not associated with instance ${server.id}.`)
      }
      await lead(deps, request, floating.id, null)
      return reply.code(202).send()
    },
  },
}
