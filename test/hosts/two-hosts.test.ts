import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { mustRun } from '../../src/machine/net/command.ts'
import { type Berth, newBerth, run } from '../support/berth.ts'
import { claimPortBase } from '../support/ports.ts'

const program = fileURLToPath(new URL('../../berth', import.meta.url))

/** A machine of its own, as far as networks, engines and /run go: a network namespace on a common wire, and a mount namespace. */
interface Machine {
  name: string
  link: string
  address: string
  stateDir: string
  /** Runs a tool there. */
  run(...argv: string[]): ReturnType<typeof run>
}

/** What is to be undone at the end, the newest first: a cloud goes before the machine it is on. */
function undoing(t: TestContext): { after(step: () => Promise<void>): void } {
  const steps: (() => Promise<void>)[] = []
  t.after(async () => {
    for (const step of steps.reverse()) await step()
  })
  return { after: (step) => void steps.push(step) }
}

/** A wire with control at its first address, and two machines on it. */
async function wire(t: ReturnType<typeof undoing>): Promise<{ control: string; machines: Machine[] }> {
  const id = randomBytes(2).toString('hex')
  const net = `10.217.${randomBytes(1)[0]}`
  const bridge = `bw${id}`
  const ip = (...words: string[]) => mustRun(['ip', ...words])
  await ip('link', 'add', bridge, 'type', 'bridge')
  t.after(() => run('ip', ['link', 'delete', bridge]).then(() => {}))
  await ip('address', 'add', `${net}.1/24`, 'dev', bridge)
  await ip('link', 'set', bridge, 'up')
  const machines = []
  for (const n of [1, 2]) {
    const [namespace, link, address] = [`bh${id}-${n}`, `bl${id}${n}`, `${net}.${10 + n}`]
    await ip('netns', 'add', namespace)
    t.after(() => run('ip', ['netns', 'delete', namespace]).then(() => {}))
    await ip('link', 'add', link, 'master', bridge, 'up', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace)
    await ip('-n', namespace, 'link', 'set', 'lo', 'up')
    await ip('-n', namespace, 'address', 'add', `${address}/24`, 'dev', 'eth0')
    await ip('-n', namespace, 'link', 'set', 'eth0', 'up')
    await ip('-n', namespace, 'route', 'add', 'default', 'via', `${net}.1`)
    const stateDir = await mkdtemp(join(tmpdir(), 'berth-host-'))
    t.after(() => rm(stateDir, { recursive: true, force: true }))
    // A process that keeps the mount namespace with a /run of its own.
    const keeper = `mount -t tmpfs tmpfs /run && mkdir -p /run/lock && echo $$ > ${stateDir}.keeper && exec sleep 1000000`
    const inside = ['--net=/run/netns/'.concat(namespace), 'unshare', '--mount', '--propagation', 'private']
    await mustRun(['sh', '-c', `nsenter ${inside.join(' ')} sh -c '${keeper}' >/dev/null 2>&1 &`])
    const pid = await until(async () => (await readFile(`${stateDir}.keeper`, 'utf8').catch(() => '')).trim())
    t.after(async () => {
      process.kill(Number(pid), 'SIGKILL')
      await rm(`${stateDir}.keeper`, { force: true })
    })
    const enter = [`--mount=/proc/${pid}/ns/mnt`, `--net=/proc/${pid}/ns/net`]
    machines.push({
      ...{ name: `h${n}`, link, address, stateDir },
      run: (...argv: string[]) => run('nsenter', [...enter, ...argv], { timeoutMs: 120_000 }),
    })
  }
  return { control: `${net}.1`, machines }
}

/** Asks until there is an answer. */
async function until<T>(ask: () => Promise<T>, ms = 60_000): Promise<NonNullable<T>> {
  const deadline = performance.now() + ms
  for (;;) {
    const answer = await ask()
    if (answer) return answer
    if (performance.now() > deadline) throw new Error(`it does not come about: ${ask}`)
    await pause(200)
  }
}

/** The OpenStack APIs, as admin. */
async function apis(cloud: Berth) {
  const env = await cloud.openrc('admin')
  const body = {
    auth: {
      identity: {
        methods: ['password'],
        password: { user: { name: 'admin', domain: { id: 'default' }, password: env.OS_PASSWORD } },
      },
      scope: { project: { name: 'admin', domain: { id: 'default' } } },
    },
  }
  const log = await fetch(`${env.OS_AUTH_URL}/auth/tokens`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  })
  const token = log.headers.get('x-subject-token')!
  const {
    token: { catalog },
  } = (await log.json()) as { token: { catalog: { type: string; endpoints: { url: string }[] }[] } }
  const urlOf = (type: string) => catalog.find((one) => one.type === type)!.endpoints[0]!.url
  // biome-ignore lint/suspicious/noExplicitAny: what came over the wire is what a test looks into
  return async (method: string, type: string, path: string, wanted?: unknown): Promise<any> => {
    const reply = await fetch(urlOf(type) + path, {
      method,
      headers: { 'x-auth-token': token, 'content-type': 'application/json', 'openstack-api-version': 'compute 2.74' },
      ...(wanted === undefined ? {} : { body: JSON.stringify(wanted) }),
    })
    const text = await reply.text()
    assert.ok(reply.ok, `${method} ${path}: ${reply.status} ${text}`)
    return text ? JSON.parse(text) : null
  }
}

test('two hosts: one network, a router and floating addresses across both; one that is cut off is seen, and heals', async (t) => {
  const undo = undoing(t)
  const { control, machines } = await wire(undo)
  const cloud = await newBerth(await claimPortBase(t), {
    ...{ BERTH_BUS: 'nats', BERTH_ROLES: 'control', BERTH_BIND: control, BERTH_HOST_DOWN_SECONDS: '20' },
  })
  undo.after(() => cloud.destroy())
  await cloud.up()
  const door = `http://${control}:${8779 + cloud.portBase}`
  for (const machine of machines) {
    const { stdout: token } = await cloud.berth('host', ['token', machine.name])
    const words = ['host', 'join', door, token.trim(), '-d', '--state-dir', machine.stateDir]
    undo.after(() => machine.run(program, 'destroy', '--yes', '--state-dir', machine.stateDir).then(() => {}))
    const joined = await machine.run(program, ...words)
    assert.equal(joined.code, 0, joined.stdout + joined.stderr)
    const again = await machine.run(program, ...words.slice(0, 4), '--state-dir', join(machine.stateDir, 'other'))
    assert.match(again.stderr, /was used already/)
  }
  const upHosts = async () => {
    const { hosts } = JSON.parse((await cloud.berth('status', ['--json'])).stdout) as {
      hosts: { name: string; role: string; up: boolean }[]
    }
    return hosts.flatMap(({ name, role, up }) => (up ? [`${name} ${role}`] : [])).sort()
  }
  const all = ['h1 compute', 'h1 network', 'h2 compute', 'h2 network']
  await until(async () => (await upHosts()).join() === all.join())

  const api = await apis(cloud)
  const { images } = await api('GET', 'image', '/v2/images?name=busybox')
  const { networks } = await api('GET', 'network', '/v2.0/networks?name=private')
  const { networks: outside } = await api('GET', 'network', '/v2.0/networks?name=public')
  const servers = await Promise.all(
    machines.map(async (machine) => {
      const wanted = {
        name: machine.name,
        imageRef: images[0].id,
        flavorRef: '1',
        networks: [{ uuid: networks[0].id }],
        host: machine.name,
      }
      const { server } = await api('POST', 'compute', '/servers', { server: wanted })
      const ready = await until(async () => {
        const now = (await api('GET', 'compute', `/servers/${server.id}`)).server
        assert.notEqual(now.status, 'ERROR', JSON.stringify(now.fault))
        return now.status === 'ACTIVE' ? now : null
      })
      assert.equal(ready['OS-EXT-SRV-ATTR:host'], machine.name)
      const cloudId = (await readFile(join(machine.stateDir, 'cloud-id'), 'utf8')).trim()
      const docker = ['docker', '-H', `unix:///run/berth/${cloudId}/docker.sock`]
      const pid = (await machine.run(...docker, 'inspect', '-f', '{{.State.Pid}}', `nova-${server.id}`)).stdout.trim()
      const { ports } = await api('GET', 'network', `/v2.0/ports?device_id=${server.id}`)
      return {
        ...{
          id: server.id as string,
          portId: ports[0].id as string,
          address: ports[0].fixed_ips[0].ip_address as string,
        },
        reaches: async (address: string) =>
          (await run('nsenter', [`--net=/proc/${pid}/ns/net`, 'busybox', 'ping', '-c', '1', '-W', '1', address]))
            .code === 0,
      }
    }),
  )
  const [one, two] = servers as [(typeof servers)[0], (typeof servers)[0]]

  await t.test('servers of one network on both hosts reach each other', async () => {
    await until(() => one.reaches(two.address))
    assert.equal(await two.reaches(one.address), true)
  })

  await t.test('the router and floating addresses serve both', async () => {
    const { subnets } = await api('GET', 'network', `/v2.0/subnets?network_id=${outside[0].id}`)
    await until(() => one.reaches(subnets[0].gateway_ip))
    await until(() => two.reaches(subnets[0].gateway_ip))
    const { security_groups } = await api('GET', 'network', '/v2.0/security-groups?name=default')
    for (const { id } of security_groups) {
      const rule = { security_group_id: id, direction: 'ingress', protocol: 'icmp', remote_ip_prefix: '0.0.0.0/0' }
      await api('POST', 'network', '/v2.0/security-group-rules', { security_group_rule: rule })
    }
    for (const [server, other] of [
      [one, two],
      [two, one],
    ] as const) {
      const wanted = { floating_network_id: outside[0].id, port_id: server.portId }
      const { floatingip } = await api('POST', 'network', '/v2.0/floatingips', { floatingip: wanted })
      await until(() => other.reaches(floatingip.floating_ip_address))
      // From the machine where the router is, which stands on the external network itself.
      await until(async () => {
        const pings = machines.map((machine) =>
          machine.run('busybox', 'ping', '-c', '1', '-W', '1', floatingip.floating_ip_address),
        )
        return (await Promise.all(pings)).some(({ code }) => code === 0)
      })
    }
  })

  await t.test('a host that is cut off is seen as down, and heals', async () => {
    const cut = machines[1]!
    await mustRun(['ip', 'link', 'set', cut.link, 'down'])
    await until(async () => (await upHosts()).join() === 'h1 compute,h1 network')
    assert.equal(await one.reaches(two.address), false)
    await mustRun(['ip', 'link', 'set', cut.link, 'up'])
    await until(() => one.reaches(two.address))
    await until(async () => (await upHosts()).join() === all.join())
    // Orders reach it again.
    await api('POST', 'compute', `/servers/${two.id}/action`, { 'os-stop': null })
    await until(async () => (await api('GET', 'compute', `/servers/${two.id}`)).server.status === 'SHUTOFF')
  })
})
