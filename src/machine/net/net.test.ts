import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { mustRun, runTool } from './command.ts'
import { deleteFlows, listFlows, parseFlow } from './flows.ts'
import { ipBatch, ipBatchForced, listLinks } from './links.ts'
import { createNamespace, deleteNamespace, inNamespace, listNamespaces, writeSysctls } from './namespaces.ts'
import { applyNft, listTables } from './nft.ts'

test('a namespace: links in batches, settings, rules, flows; and all gone with it', async (t) => {
  const name = `berth-test-${randomUUID().slice(0, 8)}`
  t.after(() => deleteNamespace(name))
  assert.equal(await createNamespace(name), true)
  assert.equal(await createNamespace(name), false)
  assert.ok((await listNamespaces()).includes(name))

  await ipBatch(name, ['link add one type bridge', 'link add two type bridge', 'link set one up alias mine'])
  const one = (await listLinks(name)).find((link) => link.ifname === 'one')
  assert.equal(one?.ifalias, 'mine')
  assert.ok(!(await listLinks(null)).some((link) => link.ifname === 'one'))
  await assert.rejects(ipBatch(name, ['link add one type bridge']), /ip link add one type bridge: .*File exists/)
  const refusals = await ipBatchForced(name, ['link delete three', 'link delete two', 'link delete four'])
  assert.deepEqual(
    refusals.map(({ line, message }) => [line, /Cannot find device/.test(message)]),
    [
      ['link delete three', true],
      ['link delete four', true],
    ],
  )
  assert.ok(!(await listLinks(name)).some((link) => link.ifname === 'two'))

  await writeSysctls(name, { 'net/ipv6/conf/default/disable_ipv6': 1 })
  assert.match(await mustRun(inNamespace(name, ['cat', '/proc/sys/net/ipv6/conf/default/disable_ipv6'])), /^1/)
  await assert.rejects(writeSysctls(name, { 'net/nothing': 1 }), /nothing/)

  await assert.rejects(applyNft(name, 'add table inet good\nadd chain inet absent c\n'), /No such file/)
  assert.deepEqual(await listTables(name), [], 'all or nothing')
  await applyNft(name, 'add table inet good\n')
  assert.deepEqual(await listTables(name), ['inet good'])

  const flow = (port: number, far: string) =>
    runTool(
      inNamespace(
        name,
        `conntrack -I -p tcp -s ${far}1 -d ${far}2 --sport 7 --dport ${port} --state ESTABLISHED -t 60`.split(' '),
      ),
    )
  for (const far of ['10.0.0.', 'fd00::']) for (const port of [80, 443]) await flow(port, far)
  const all = await listFlows(name)
  assert.equal(all.length, 4)
  const absent = { ...all[0]!, sourcePort: 8 }
  await deleteFlows(name, [absent, ...all.filter((one) => one.destinationPort === 80)])
  assert.deepEqual(
    (await listFlows(name)).map((one) => one.destinationPort),
    [443, 443],
  )

  await deleteNamespace(name)
  await deleteNamespace(name)
  assert.ok(!(await listNamespaces()).includes(name))
})

test('flows as conntrack writes them', () => {
  const line =
    'icmp     1 29 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=7 src=10.0.0.2 dst=10.0.0.1 type=0 code=0 id=7 mark=0 use=1'
  assert.deepEqual(parseFlow(line), {
    protocol: 1,
    source: '10.0.0.1',
    destination: '10.0.0.2',
    sourcePort: null,
    destinationPort: null,
    icmp: { type: 8, code: 0, id: 7 },
  })
  assert.equal(parseFlow('conntrack v1.4.7 (conntrack-tools): 1 flow entries have been shown.'), null)
})

test('a tool that is absent, or fails, is named', async () => {
  await assert.rejects(mustRun(['berth-no-such-tool']), /berth-no-such-tool cannot be run/)
  await assert.rejects(
    mustRun(['ip', 'link', 'show', 'nothing-here']),
    /ip link show nothing-here failed: .*does not exist/,
  )
})
