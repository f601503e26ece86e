import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { importBusybox } from '../../../test/support/engine.ts'
import { readConfig } from '../../config.ts'
import * as containers from '../../machine/docker/containers.ts'
import { openEngine } from '../../machine/docker/engine.ts'
import { exec } from '../../machine/docker/exec.ts'
import * as images from '../../machine/docker/images.ts'
import { ensureEngine } from '../engine.ts'
import { enginePaths, findEngine, removeEngine, startEngine, stopEngine } from '../own-engine.ts'
import { ensureCloudId, ensureStateDir, tryLock } from '../state.ts'

interface Ended {
  code: number | null
  signal: string | null
  text: string
}

const program = new URL('../../../test/support/engine-care.ts', import.meta.url).pathname

const care = (fault: string, ...words: string[]) =>
  new Promise<Ended>((resolve) => {
    execFile(process.execPath, [program, fault, ...words], (error, stdout) => {
      const { code = 0, signal = null } = (error ?? {}) as { code?: number; signal?: string }
      resolve({ code, signal, text: stdout })
    })
  })

test('the engine is shown, moved, emptied of what nobody uses, and mapped otherwise', async (t) => {
  const parent = mkdtempSync(join(tmpdir(), 'berth-care-'))
  const stateDir = join(parent, 'state')
  ensureStateDir(stateDir)
  const cloudId = ensureCloudId(stateDir)
  const paths = () => enginePaths(stateDir, cloudId)
  t.after(async () => {
    await removeEngine(paths())
    rmSync(parent, { recursive: true, force: true })
  })
  const where = ['--state-dir', stateDir]
  await ensureEngine(readConfig({}, { stateDir }), cloudId, () => {})
  const engine = openEngine(paths().socket)
  t.after(() => engine.close())
  const signal = AbortSignal.timeout(300_000)
  const busybox = await importBusybox(engine)
  const made = { Image: busybox, Tty: true, OpenStdin: true, Labels: { 'io.berth.cloud': cloudId } }
  const id = await containers.create(engine, 'nova-1', made, signal)
  const inside = async (script: string) => {
    await containers.start(engine, id, signal)
    const wanted = { command: ['sh', '-c', script], environment: [], user: '' }
    return (await exec(engine, id, wanted, signal)).output.trim()
  }
  // A file, a hard link to it, and a whiteout: what a layer may hold.
  await inside('echo kept > /root/file; busybox ln /root/file /root/link; busybox rm /bin/env')
  const look = 'cat /root/link; busybox stat -c %h /root/file; ls /bin/env 2>&1'

  await t.test('show', async () => {
    const { code, text } = await care('', 'show', ...where)
    assert.equal(code, 0, text)
    assert.match(text, /^engine +Docker \d+\.\d+.*, our own$/m)
    assert.match(text, /^servers +1, 1 of them run$/m)
    assert.match(text, new RegExp(`^data root +${paths().first} `, 'm'))
  })

  await t.test('disk and prune', async () => {
    const unused = await importBusybox(engine, ['CMD ["true"]'])
    assert.match((await care('', 'disk', ...where)).text, /^images that no container uses: 1 /m)
    assert.match((await care('', 'prune', ...where)).text, /^removed: 1 images/m)
    await assert.rejects(images.inspect(engine, unused, signal), { kind: 'notFound' })
    assert.equal((await images.inspect(engine, busybox, signal)).Id, busybox)
  })

  const target = join(parent, 'elsewhere')
  await t.test('a move is refused where it would destroy something, or while the cloud runs', async () => {
    mkdirSync(target)
    writeFileSync(join(target, 'mine'), 'mine')
    assert.match((await care('', 'move', target, ...where)).text, /is not empty/)
    rmSync(join(target, 'mine'))
    assert.match((await care('', 'move', join(paths().first, 'in'), ...where)).text, /lies in the other/)
    const lock = tryLock(stateDir)
    assert.match((await care('', 'move', target, ...where)).text, /berth down/)
    lock?.release()
  })

  await t.test('a move that is killed leaves the old data in use, and may be made again', async () => {
    for (const point of ['engine.move.copying', 'engine.move.verified']) {
      assert.equal((await care(point, 'move', target, ...where)).signal, 'SIGKILL', point)
      assert.equal(paths().kept, paths().first, point)
    }
    await startEngine(paths())
    assert.match(await inside(look), /^kept\s+2\s+ls: \/bin\/env: No such file/)
  })

  await t.test('a move, killed right after its switch, is in force; the old is kept until told', async () => {
    assert.equal((await care('engine.move.switched', 'move', target, ...where)).signal, 'SIGKILL')
    assert.equal(paths().kept, target)
    await startEngine(paths())
    assert.match(await inside(look), /^kept\s+2\s+ls: \/bin\/env: No such file/)
    assert.match((await care('', 'move', target, ...where)).text, /already/)
    assert.match((await care('', 'move', join(parent, 'third'), ...where)).text, /drop-old/)
    assert.ok(readdirSync(paths().first).length > 0)
    assert.match((await care('', 'drop-old', ...where)).text, /^removed: /)
    assert.equal(existsSync(paths().first), false)
  })

  await t.test('a moved data root that is not there is not begun anew', async () => {
    await containers.stop(engine, id, 0, signal)
    await stopEngine(paths())
    renameSync(target, `${target}-unmounted`)
    await assert.rejects(startEngine(paths()), { message: /is its disk mounted/ })
    renameSync(`${target}-unmounted`, target)
    await startEngine(paths())
    assert.ok(findEngine(paths()))
  })

  await t.test('another mapping only without servers', async () => {
    const now = /^user namespaces +on/m.test((await care('', 'show', ...where)).text) ? 'on' : 'off'
    const other = now === 'on' ? 'off' : 'on'
    assert.match((await care('', 'userns', now, ...where)).text, /already/)
    const refused = await care('', 'userns', other, ...where)
    assert.equal(refused.code, 1)
    assert.match(refused.text, /1 servers have containers here \(nova-1\).*[Ss]helve/)
    await containers.remove(engine, id, signal)
    const changed = await care('', 'userns', other, ...where)
    assert.equal(changed.code, 0, changed.text)
    assert.match((await care('', 'show', ...where)).text, new RegExp(`^user namespaces +${other}`, 'm'))
  })
})
