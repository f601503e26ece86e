import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type TestContext, test } from 'node:test'
import { openSqlite } from '../../src/platform/db/sqlite.ts'
import { startCloud } from '../support/cloud.ts'

const mebibyte = Buffer.alloc(1 << 20)

/** Takes what is left of the disk, to the last page; `free()` gives it back. */
function fill(folder: string): { free(): void } {
  const path = join(folder, 'filler')
  const file = openSync(path, 'w')
  for (const size of [mebibyte.length, 4096]) {
    try {
      while (writeSync(file, mebibyte, 0, size) > 0);
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC')
    }
  }
  closeSync(file)
  return { free: () => rmSync(path) }
}

/** A file system of 32 MiB; what still has files open there keeps it until it closes them. */
function smallDisk(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'berth-small-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', folder])
  t.after(() => {
    execFileSync('umount', ['--lazy', folder])
    rmdirSync(folder)
  })
  return folder
}

test('the disk under the database fills up: writes are refused by name, reads go on, and nothing acknowledged is lost', async (t) => {
  const folder = smallDisk(t)
  const path = join(folder, 'berth.sqlite')
  const cloud = await startCloud(t, {
    async open(t) {
      const database = await openSqlite(path)
      t.after(() => database.close())
      return database
    },
  })
  const demo = cloud.as('demo')
  const made: string[] = []
  /** A network with a long description: a page or more each, so that a log of bounded slack is soon at its end. */
  const network = (n: number) =>
    demo.post('network', '/v2.0/networks', { network: { name: `n${n}`, description: 'd'.repeat(250) } })
  for (let n = 0; n < 5; n++) {
    const reply = await network(n)
    assert.equal(reply.status, 201)
    made.push(reply.body.network.id)
  }

  const filler = fill(folder)
  let refused = null
  // Pages of the log that were used before can be written again without new room, so the first few may still go in.
  for (let n = 5; n < 2000 && refused === null; n++) {
    const reply = await network(n)
    if (reply.status === 201) made.push(reply.body.network.id)
    else refused = reply
  }
  assert.equal(refused?.status, 507)
  assert.match(JSON.stringify(refused?.body), /no space left on the disk that keeps the database/)

  const many = await Promise.all(Array.from({ length: 20 }, (_, n) => network(3000 + n)))
  for (const reply of many) {
    assert.ok([201, 507].includes(reply.status), `${reply.status}`)
    if (reply.status === 201) made.push(reply.body.network.id)
  }
  assert.equal((await demo.get('network', `/v2.0/networks/${made[0]}`)).status, 200)
  assert.equal((await demo.get('compute', '/v2.1/servers/detail')).status, 200)

  filler.free()
  const after = await network(9999)
  assert.equal(after.status, 201)
  made.push(after.body.network.id)
  const listed = (await demo.get('network', '/v2.0/networks?fields=id&fields=name')).body.networks as { id: string }[]
  for (const id of made)
    assert.ok(
      listed.some((found) => found.id === id),
      `${id} was acknowledged`,
    )
  await cloud.settle()

  const file = new DatabaseSync(path, { readOnly: true })
  t.after(() => file.close())
  assert.deepEqual({ ...file.prepare('pragma integrity_check').get() }, { integrity_check: 'ok' })
})
