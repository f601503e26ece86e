import type { Bus } from '../../../platform/bus/bus.ts'
import type { Clock } from '../../../platform/clock.ts'
import { type Heartbeat, heartbeatSubject } from '../../../platform/hosts/messages.ts'
import {
  type NetworkOrder,
  type NetworkReport,
  type PortOrder,
  type RouterOrder,
  type SecurityGroupOrder,
  subjects,
} from '../messages.ts'

const heartbeatMs = 10_000

/** A network host without a kernel, for trying the control plane: every order is reported as done, none is refused. */
export function fakeNetworkHost(host: string, bus: Bus, clock: Clock): { stop(): void } {
  const report = (kind: NetworkReport['kind'], id: string, generation: number, state: NetworkReport['state']) =>
    bus.publish(subjects.report, { host, kind, id, generation, state, message: null } satisfies NetworkReport)
  const ends = [
    bus.subscribe<NetworkOrder>(subjects.network(host), (o) => report('network', o.networkId, o.generation, o.wish)),
    bus.subscribe<PortOrder>(subjects.port(host), (o) =>
      report('port', o.portId, o.generation, o.wish === 'bound' ? 'active' : 'absent'),
    ),
    bus.subscribe<RouterOrder>(subjects.router(host), (o) => report('router', o.routerId, o.generation, o.wish)),
    bus.subscribe<SecurityGroupOrder>(subjects.group(host), (o) => report('group', o.groupId, o.generation, o.wish)),
  ]
  const beat: Heartbeat = {
    host,
    role: 'network',
    startedAt: clock.now(),
    facts: { tunnelIp: '', networks: 0, ports: 0 },
  }
  bus.publish(heartbeatSubject, beat)
  const beating = setInterval(() => bus.publish(heartbeatSubject, beat), heartbeatMs)
  return {
    stop() {
      clearInterval(beating)
      for (const end of ends) end()
    },
  }
}
