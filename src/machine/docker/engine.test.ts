import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import test from 'node:test'
import { startEngine } from '../../../test/support/engine.ts'
import * as containers from './containers.ts'
import { agree, newestApi, openEngine } from './engine.ts'
import { errorOfMessage } from './errors.ts'
import { events } from './events.ts'
import * as images from './images.ts'
import { logText } from './log-frames.ts'
import * as networks from './networks.ts'
import * as system from './system.ts'

const signal = AbortSignal.timeout(120_000)

test('the API version is the newest both know', () => {
  assert.equal(agree({ Version: '20.10.24', ApiVersion: '1.41' }, 's'), '1.41')
  assert.equal(agree({ Version: '99', ApiVersion: '1.99', MinAPIVersion: '1.44' }, 's'), newestApi)
  assert.throws(() => agree({ Version: '19.03', ApiVersion: '1.40' }, '/run/x.sock'), {
    kind: 'unavailable',
    message: /x\.sock is too old: version 19\.03 speaks API 1\.40, needed is 1\.41/,
  })
  assert.throws(() => agree({ Version: '99', ApiVersion: '1.99', MinAPIVersion: '1.90' }, 's'), /too new/)
})

test('an absent or dead socket is named', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'berth-socket-'))
  t.after(() => rm(directory, { recursive: true }))
  const absent = openEngine(join(directory, 'none.sock'))
  t.after(() => absent.close())
  await assert.rejects(system.ping(absent, signal), { kind: 'unavailable', message: /none\.sock.*no such socket/ })
  await assert.rejects(system.info(absent, signal), { kind: 'unavailable' })

  // An engine that hangs up half way through an answer.
  const path = join(directory, 'half.sock')
  const half = createServer((_, response) => {
    response.writeHead(200, { 'content-length': 100 }).write('{"Version":', () => response.destroy())
  }).listen(path)
  t.after(() => half.close())
  await once(half, 'listening')
  const broken = openEngine(path)
  t.after(() => broken.close())
  await assert.rejects(system.info(broken, signal), { kind: 'unavailable', message: /half\.sock/ })
})

test('words of the engine become kinds', () => {
  assert.equal(errorOfMessage('write /x: no space left on device').kind, 'noSpace')
  assert.equal(errorOfMessage('manifest unknown: gone').kind, 'notFound')
  assert.equal(errorOfMessage('dial tcp 127.0.0.1:1: connect: connection refused').kind, 'unavailable')
  assert.equal(errorOfMessage('odd').kind, 'internal')
})

test('a framed log is read whatever the chunks', async () => {
  const frame = (stream: number, text: string) => {
    const header = Buffer.alloc(8)
    header[0] = stream
    header.writeUInt32BE(Buffer.byteLength(text), 4)
    return Buffer.concat([header, Buffer.from(text)])
  }
  const whole = Buffer.concat([frame(1, 'one\n'), frame(2, 'two\n'), frame(1, ''), frame(1, 'three')])
  for (const size of [1, 3, 7, 100]) {
    const chunks = Array.from({ length: Math.ceil(whole.length / size) }, (_, i) =>
      whole.subarray(i * size, (i + 1) * size),
    )
    assert.equal(await logText(Readable.from(chunks), false, 1000), 'one\ntwo\nthree')
    assert.equal(await logText(Readable.from(chunks), false, 5), 'three')
  }
  assert.equal(await logText(Readable.from([Buffer.from('a\r\nb')]), true, 1000), 'a\nb')
})

test('the calls, on an engine', async (t) => {
  const { engine, busybox, kill, start } = await startEngine(t, { ownNetwork: true })
  const labels = { 'io.berth.test': 'x' }
  const aContainer = (extra: containers.NewContainer | object = {}): containers.NewContainer => ({
    Image: busybox,
    Tty: true,
    OpenStdin: true,
    Labels: labels,
    HostConfig: { NetworkMode: 'none' },
    ...extra,
  })

  await t.test('version, info', async () => {
    assert.equal(await engine.apiVersion(signal), (await system.version(engine, signal)).ApiVersion)
    assert.ok((await system.info(engine, signal)).NCPU >= 1)
  })

  await t.test('a container from create to remove', async () => {
    const id = await containers.create(engine, 'c1', aContainer(), signal)
    await assert.rejects(containers.create(engine, 'c1', aContainer(), signal), { kind: 'conflict' })
    await assert.rejects(containers.create(engine, 'c2', aContainer({ Image: 'sha256:'.padEnd(71, '0') }), signal), {
      kind: 'notFound',
    })
    await containers.start(engine, id, signal)
    await containers.start(engine, id, signal)
    await containers.pause(engine, id, signal)
    assert.equal((await containers.inspect(engine, id, signal)).State.Status, 'paused')
    await containers.unpause(engine, id, signal)
    await containers.restart(engine, id, 0, signal)
    assert.deepEqual(
      (await containers.list(engine, ['io.berth.test=x'], signal)).map((c) => c.State),
      ['running'],
    )
    assert.deepEqual(await containers.list(engine, ['io.berth.test=y'], signal), [])
    assert.ok((await containers.stats(engine, id, signal)).cpu_stats.cpu_usage.total_usage > 0)
    const ended = containers.wait(engine, id, 'not-running', signal)
    await containers.kill(engine, id, 'SIGKILL', signal)
    assert.equal(await ended, 137)
    await containers.stop(engine, id, 0, signal)
    await containers.remove(engine, id, signal)
    await containers.remove(engine, id, signal)
    await assert.rejects(containers.inspect(engine, id, signal), { kind: 'notFound' })
  })

  await t.test('logs, with and without a terminal', async () => {
    for (const tty of [true, false]) {
      const wanted = aContainer({ Tty: tty, Cmd: ['sh', '-c', 'echo one; echo two >&2; echo three'] })
      const id = await containers.create(engine, `log-${tty}`, wanted, signal)
      await containers.start(engine, id, signal)
      await containers.wait(engine, id, 'not-running', signal)
      const options = { tty, lines: null, maxBytes: 1000, signal }
      const all = await containers.logs(engine, id, options)
      assert.deepEqual(all.trim().split('\n').sort(), ['one', 'three', 'two'])
      if (tty) assert.equal(await containers.logs(engine, id, { ...options, lines: 1 }), 'three\n')
      await containers.remove(engine, id, signal)
    }
  })

  await t.test('commit, save, load, tag, list, remove', async () => {
    const id = await containers.create(engine, 'c3', aContainer({ Cmd: ['sh', '-c', 'echo kept > /kept'] }), signal)
    await containers.start(engine, id, signal)
    await containers.wait(engine, id, 'not-running', signal)
    const image = await containers.commit(engine, id, { repo: 'berth/x', tag: '1', labels: { a: 'b' }, signal })
    assert.deepEqual(
      (await images.listTagged(engine, 'berth/x:*', signal)).map((i) => i.Id),
      [image],
    )
    const archive = Buffer.concat(await (await images.save(engine, image, signal)).toArray())
    await images.remove(engine, 'berth/x:1', signal)
    await assert.rejects(images.inspect(engine, image, signal), { kind: 'notFound' })
    assert.deepEqual(await images.load(engine, archive, signal), [image])
    await images.tag(engine, image, 'berth/y:2', signal)
    assert.deepEqual((await images.inspect(engine, image, signal)).RepoTags, ['berth/y:2'])
    await assert.rejects(images.load(engine, archive.subarray(0, 3000), signal))
    await containers.remove(engine, id, signal)
    await images.remove(engine, image, signal)
    await images.remove(engine, image, signal)
  })

  await t.test('networks', async () => {
    const network = { Name: 'n1', Driver: 'bridge', Labels: labels, IPAM: { Config: [{ Subnet: '10.99.0.0/24' }] } }
    const netId = await networks.create(engine, network, signal)
    await assert.rejects(networks.create(engine, network, signal), { kind: 'conflict' })
    const id = await containers.create(engine, 'c4', aContainer({ HostConfig: { NetworkMode: 'n1' } }), signal)
    const on = async () => Object.keys((await containers.inspect(engine, id, signal)).NetworkSettings.Networks ?? {})
    // A container that does not run only notes the name, of a network that need not exist yet.
    await networks.connect(engine, 'n2', id, {}, signal)
    assert.deepEqual((await on()).sort(), ['n1', 'n2'])
    await assert.rejects(containers.start(engine, id, signal), { kind: 'notFound', message: /n2/ })
    await networks.disconnect(engine, 'n2', id, signal)
    await containers.start(engine, id, signal)
    assert.deepEqual(await on(), ['n1'])
    await assert.rejects(networks.remove(engine, 'n1', signal), { kind: 'forbidden' })
    assert.equal((await networks.inspect(engine, 'n1', signal)).Id, netId)
    assert.deepEqual(
      (await networks.list(engine, ['io.berth.test=x'], signal)).map((n) => n.Name),
      ['n1'],
    )
    await containers.remove(engine, id, signal)
    await networks.remove(engine, 'n1', signal)
    await networks.remove(engine, 'n1', signal)
  })

  await t.test('events go on after the engine was killed', async () => {
    const stopping = new AbortController()
    const lost: unknown[] = []
    const seen: string[] = []
    const filters = { type: ['container'], event: ['create'] }
    const watching = (async () => {
      for await (const item of events(engine, filters, stopping.signal, (error) => lost.push(error))) {
        seen.push(item.kind === 'connected' ? 'connected' : item.event.Action)
        if (seen.length === 1) await containers.create(engine, 'e1', aContainer(), signal)
        if (seen.length === 2) await kill().then(start)
        if (seen.length === 3) await containers.create(engine, 'e2', aContainer(), signal)
        if (seen.length === 4) stopping.abort()
      }
    })()
    await watching
    assert.deepEqual(seen, ['connected', 'create', 'connected', 'create'])
    assert.ok(lost.length >= 1)
  })

  await t.test('an abort ends a call at once', async () => {
    const id = await containers.create(engine, 'c5', aContainer(), signal)
    await containers.start(engine, id, signal)
    const abort = new AbortController()
    const waiting = containers.wait(engine, id, 'not-running', abort.signal)
    abort.abort()
    await assert.rejects(waiting, { name: 'AbortError' })
  })
})
