import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startEngine } from '../../../../test/support/engine.ts'
import { subnet } from '../../../../test/support/network-host.ts'
import { mustRun } from '../../../machine/net/command.ts'
import { listLinkAddresses } from '../../../machine/net/links.ts'
import { inNamespace, listNamespaces } from '../../../machine/net/namespaces.ts'
import { type NetworkReport, type RouterOrder, subjects } from '../messages.ts'
import { namespaceOf, routerLinkOf, routerNamespaceOf } from './names.ts'
import { removeEverything } from './remove.ts'

const steps = ['network.router.begun', 'network.router.plugged', 'network.router.filtered']

test('a network host killed while it makes a router finishes it after its restart', async (t) => {
  const engine = await startEngine(t)
  const stateDir = await mkdtemp(join(tmpdir(), 'berth-network-'))
  const cloudId = randomUUID()
  let child: ChildProcess | null = null
  let reports: NetworkReport[] = []
  t.after(async () => {
    child?.kill('SIGKILL')
    await removeEverything(cloudId)
    await rm(stateDir, { recursive: true, force: true })
  })

  async function start(fault = ''): Promise<ChildProcess> {
    child?.kill('SIGKILL')
    reports = []
    child = fork(join(import.meta.dirname, 'test-process.ts'), ['node1', cloudId, stateDir, engine.socketPath, fault])
    const ready = new Promise<void>((resolve) => {
      child!.on('message', ({ subject, message }: { subject: string; message: NetworkReport }) => {
        if (subject === 'ready') resolve()
        else reports.push(message)
      })
    })
    await Promise.race([ready, once(child, 'exit')])
    return child
  }
  async function reported(id: string, state: NetworkReport['state']): Promise<void> {
    const deadline = AbortSignal.timeout(20_000)
    while (!reports.some((report) => report.id === id && report.state === state))
      await once(child!, 'message', { signal: deadline })
  }
  const [networkId, portId] = [randomUUID(), randomUUID()]
  const network = (generation: number, wish: 'present' | 'absent') => ({
    subject: subjects.network('node1'),
    message: {
      ...{ networkId, generation, wish, projectId: 'p', mtu: 1450, vni: 0, peers: [], external: false },
      subnets: [subnet('10.0.0.0/24', '10.0.0.1')],
    },
  })
  const end = { portId, networkId, macAddress: 'fa:16:3e:00:00:02', mtu: 1450, adminStateUp: true }
  const router = (routerId: string, generation: number, wish: 'present' | 'absent') => ({
    subject: subjects.router('node1'),
    message: {
      ...{ routerId, generation, wish, adminStateUp: true, gateway: null, floatingIps: [] },
      interfaces: [{ ...end, addresses: ['10.0.0.1/24'] }],
      routes: [{ destination: '10.9.0.0/16', nexthop: '10.0.0.9' }],
    } satisfies RouterOrder,
  })

  let generation = 0
  for (const step of steps)
    await t.test(`killed at ${step}`, async () => {
      const routerId = randomUUID()
      const first = await start(step)
      generation++
      const dead = once(first, 'exit')
      first.send(router(routerId, generation, 'present')) // it waits for its network
      first.send(network(generation, 'present'))
      assert.deepEqual(await dead, [null, 'SIGKILL'])
      const second = await start() // which takes up what it was told
      const links = await listLinkAddresses(routerNamespaceOf(routerId))
      const own = links.find((link) => link.ifname === routerLinkOf(portId))
      assert.deepEqual([own?.addresses, own?.address], [['10.0.0.1/24'], end.macAddress])
      assert.match(await mustRun(inNamespace(routerNamespaceOf(routerId), ['ip', 'route'])), /10\.9\.0\.0\/16 via/)
      second.send(router(routerId, generation, 'present'))
      await reported(routerId, 'present')
      second.send(router(routerId, generation + 1, 'absent'))
      await reported(routerId, 'absent')
      assert.ok(!(await listNamespaces()).includes(routerNamespaceOf(routerId)))
    })

  await t.test('at the end nothing is left', async () => {
    child!.send(network(generation + 1, 'absent'))
    await reported(networkId, 'absent')
    assert.ok(!(await listNamespaces()).includes(namespaceOf(networkId)))
    assert.deepEqual(await readdir(join(stateDir, 'host', 'network')), [])
  })
})
