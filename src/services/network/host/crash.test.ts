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
import * as containers from '../../../machine/docker/containers.ts'
import * as networks from '../../../machine/docker/networks.ts'
import { linkExists, listLinks } from '../../../machine/net/links.ts'
import { listNamespaces } from '../../../machine/net/namespaces.ts'
import { type NetworkReport, subjects } from '../messages.ts'
import { namespaceOf, peerOf, portOption, tapOf } from './names.ts'
import { removeEverything } from './remove.ts'

const soon = () => AbortSignal.timeout(30_000)
const steps = ['network.plug.begun', 'network.plug.linked', 'network.plug.filtered', 'network.plug.joined']
const backwards = ['network.unplug.begun', 'network.unplug.removed']

test('a network host killed at any step finishes after its restart, and leaves nothing', async (t) => {
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
  const range = subnet('10.0.0.0/24', '10.0.0.1')
  const [networkId, portId] = [randomUUID(), randomUUID()]
  const network = (generation: number, wish: 'present' | 'absent') => ({
    subject: subjects.network('node1'),
    message: {
      networkId,
      generation,
      wish,
      projectId: 'p',
      mtu: 1450,
      vni: 0,
      peers: [],
      external: false,
      subnets: [range],
    },
  })
  const port = (generation: number, wish: 'bound' | 'absent') => ({
    subject: subjects.port('node1'),
    message: {
      ...{ portId, generation, networkId, wish, adminStateUp: true, macAddress: 'fa:16:3e:00:00:01', mtu: 1450 },
      fixedIps: [{ subnetId: range.subnetId, ipAddress: '10.0.0.5' }],
      ...{ portSecurity: true, securityGroupIds: [], allowedAddressPairs: [], defaultRoute: true },
    },
  })
  async function reported(id: string, states: readonly NetworkReport['state'][]): Promise<void> {
    const deadline = AbortSignal.timeout(20_000)
    while (!reports.some((report) => report.id === id && states.includes(report.state)))
      await once(child!, 'message', { signal: deadline })
  }
  const name = `qnet-${networkId}`
  const taps = async () => (await listLinks(namespaceOf(networkId))).filter((link) => link.ifname === tapOf(portId))

  const serverOn = (dockerNetwork: string) =>
    containers.create(
      engine.engine,
      `test-${randomUUID()}`,
      {
        Image: engine.busybox,
        Cmd: ['sleep', '1000'],
        HostConfig: { NetworkMode: dockerNetwork },
        NetworkingConfig: { EndpointsConfig: { [dockerNetwork]: { DriverOpts: { [portOption]: portId } } } },
      },
      soon(),
    )

  let generation = 0
  async function clear(host: ChildProcess): Promise<void> {
    generation++
    host.send(port(generation, 'absent'))
    await reported(portId, ['absent'])
    host.send(network(generation, 'absent'))
    await reported(networkId, ['absent'])
  }
  for (const step of steps)
    await t.test(`plugging, killed at ${step}`, async () => {
      const first = await start(step)
      generation++
      first.send(network(generation, 'present'))
      first.send(port(generation, 'bound'))
      const dead = once(first, 'exit')
      let id: string | null = null
      if (step === 'network.plug.joined') {
        await reported(portId, ['down'])
        await reported(networkId, ['present'])
        id = await serverOn(name)
        // Docker tries the plug-in again and again meanwhile: the start itself may come through.
        const starting = containers.start(engine.engine, id, soon()).catch(() => {})
        assert.deepEqual(await dead, [null, 'SIGKILL'])
        await start()
        await starting
      } else {
        assert.deepEqual(await dead, [null, 'SIGKILL'])
        await start()
      }
      const second = child!
      second.send(network(generation, 'present'))
      second.send(port(generation, 'bound'))
      await reported(networkId, ['present'])
      await reported(portId, ['down', 'active'])
      id ??= await serverOn(name)
      await containers.start(engine.engine, id, soon())
      const { State } = await containers.inspect(engine.engine, id, soon())
      assert.equal(State.Running, true)
      const inside = await listLinks(`/proc/${State.Pid}/ns/net`)
      assert.equal(inside.find((link) => link.ifname === 'eth0')?.address, 'fa:16:3e:00:00:01')
      assert.equal((await taps()).length, 1)
      await containers.remove(engine.engine, id, soon())
      await clear(second)
    })

  for (const step of backwards)
    await t.test(`unplugging, killed at ${step}`, async () => {
      const before = await start()
      generation++
      before.send(network(generation, 'present'))
      before.send(port(generation, 'bound'))
      await reported(networkId, ['present'])
      await reported(portId, ['down'])
      const first = await start(step)
      generation++
      const dead = once(first, 'exit')
      first.send(port(generation, 'absent'))
      assert.deepEqual(await dead, [null, 'SIGKILL'])
      const second = await start()
      second.send(port(generation, 'absent'))
      await reported(portId, ['absent'])
      assert.deepEqual(await taps(), [])
      assert.equal(await linkExists(peerOf(portId)), false)
    })

  await t.test('at the end nothing is left', async () => {
    await clear(child!)
    assert.ok(!(await listNamespaces()).includes(namespaceOf(networkId)))
    assert.deepEqual(await networks.list(engine.engine, [`io.berth.cloud=${cloudId}`], soon()), [])
    assert.deepEqual(await readdir(join(stateDir, 'host', 'network')), [])
  })
})
