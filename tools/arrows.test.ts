import assert from 'node:assert/strict'
import { test } from 'node:test'
import { check, importsOf, orderOf, placeOf } from './arrows.ts'

const order = ['identity', 'image', 'block-storage', 'compute']

/** [file, what it imports, a word of the fault or null for a good arrow]. */
const arrows: [file: string, target: string, fault: string | null][] = [
  ['src/control.ts', './services/index.ts', null],
  ['src/host.ts', './services/compute/index.ts', null],
  ['src/cli/up.ts', '../config.ts', null],
  ['src/cli/up.ts', '../machine/docker/engine.ts', null],
  ['src/host.ts', './services/compute/host/docker.ts', null],
  ['src/host.ts', './services/compute/logic/servers.ts', 'door'],
  ['src/control.ts', './services/compute/host/docker.ts', 'door'],
  ['src/services/compute/test-compute.ts', './index.ts', null],
  ['src/services/compute/logic/servers.ts', '../test-compute.ts', 'only tests'],
  ['src/platform/db/sqlite.ts', '../errors.ts', null],
  ['src/platform/db/sqlite.ts', '../../config.ts', 'may not know top'],
  ['src/platform/db/sqlite.ts', '../../machine/net/nft.ts', 'may not know machine'],
  ['src/machine/net/nft.ts', '../../platform/errors.ts', null],
  ['src/machine/net/nft.ts', '../../services/network/index.ts', 'may not know services'],
  ['src/services/compute/routes/servers.ts', '../logic/servers.ts', null],
  ['src/services/compute/routes/servers.ts', '../db/servers.ts', null],
  ['src/services/compute/routes/servers.ts', '../policy.ts', null],
  ['src/services/compute/routes/servers.ts', '../host/docker.ts', 'routes may not import host'],
  ['src/services/compute/routes/servers.ts', '../../../control.ts', 'may not know top'],
  ['src/services/compute/logic/servers.ts', '../db/servers.ts', null],
  ['src/services/compute/logic/servers.ts', '../routes/servers.ts', 'logic may not import routes'],
  ['src/services/compute/logic/servers.ts', '../index.ts', 'logic may not import door'],
  ['src/services/compute/db/servers.ts', '../logic/servers.ts', 'db may not import logic'],
  ['src/services/compute/db/deep/er.ts', '../../messages.ts', null],
  ['src/services/compute/reconcile/servers.ts', '../messages.ts', null],
  ['src/services/compute/reconcile/servers.ts', '../host/docker.ts', 'reconcile may not import host'],
  ['src/services/compute/host/docker.ts', '../messages.ts', null],
  ['src/services/compute/host/docker.ts', '../../../machine/docker/engine.ts', null],
  ['src/services/compute/host/docker.ts', '../db/servers.ts', 'host may not import db'],
  ['src/services/compute/host/docker.ts', '../logic/servers.ts', 'host may not import logic'],
  ['src/services/compute/logic/servers.ts', '../../../machine/net/nft.ts', 'only host/ reaches'],
  ['src/services/compute/logic/servers.ts', '../../image/index.ts', null],
  ['src/services/compute/logic/servers.ts', '../../image/logic/images.ts', 'the door of image'],
  ['src/services/compute/logic/servers.ts', '../../image/messages.ts', 'the door of image'],
  ['src/services/image/logic/images.ts', '../../compute/index.ts', 'does not stand below'],
  ['src/services/image/logic/images.ts', '../../unlisted/index.ts', 'does not stand below'],
  ['src/services/image/logic/images.ts', '../../index.ts', 'the list of all'],
  ['src/services/index.ts', './compute/index.ts', null],
  ['src/services/index.ts', './compute/logic/servers.ts', 'the door of compute'],
  ['src/services/dashboard/ui/page.ts', './table.ts', null],
  ['src/services/dashboard/ui/page.ts', '../logic/sessions.ts', 'ui may not import logic'],
  ['src/services/dashboard/ui/page.ts', '../../compute/index.ts', 'public APIs'],
  ['src/services/dashboard/ui/page.ts', '../../../platform/ids.ts', 'public APIs'],
  ['src/services/compute/logic/servers.ts', '../../../../test/support/cloud.ts', 'only tests'],
  ['src/services/compute/logic/servers.test.ts', '../../../../test/support/cloud.ts', null],
  ['src/services/compute/logic/servers.test.ts', '../index.ts', null],
  ['src/services/image/logic/images.test.ts', '../../compute/index.ts', null],
  ['src/services/image/logic/images.test.ts', '../../compute/db/servers.ts', 'the door of compute'],
  ['src/platform/db/sqlite.test.ts', '../../services/image/index.ts', 'may not know services'],
]
for (const [file, target, fault] of arrows) {
  test(`${file} → ${target} is ${fault === null ? 'a good arrow' : 'refused'}`, () => {
    const faults = check(new Map([[file, `import type { X } from '${target}'\n`]]), order)
    if (fault === null) assert.deepEqual(faults, [])
    else assert.match(faults.join('\n'), new RegExp(`^${file.replaceAll('/', '\\/')} → .*${fault}`))
  })
}

const habits: [file: string, text: string, fault: string | null][] = [
  ['src/config.ts', 'process.env', null],
  ['src/cli/up.ts', 'const home = process.env.HOME', 'process.env'],
  ['src/cli/up.ts', '// never process.env here', null],
  ['src/services/image/db/images.ts', 'const at = new Date()', 'no clock'],
  ['src/services/image/db/images.ts', 'const id = newId()', 'no clock'],
  ['src/services/image/db/images.ts', 'const at = new Date(row.at)', null],
  ['src/services/image/db/images.ts', "import { sql } from 'kysely'", null],
  ['src/services/image/logic/images.ts', "import { sql } from 'kysely'", 'SQL stands in db'],
  ['src/services/image/logic/images.ts', "import type { Selectable } from 'kysely'", null],
]
for (const [file, text, fault] of habits) {
  test(`${file} with \`${text}\` is ${fault === null ? 'fine' : 'refused'}`, () => {
    const faults = check(new Map([[file, text]]), order)
    if (fault === null) assert.deepEqual(faults, [])
    else assert.ok(faults[0]?.includes(fault), faults.join('\n'))
  })
}

test('imports are found in all their forms, and nothing else is', () => {
  const text = `
    import './a.ts'
    import b from "./b.ts"
    import {
      type C,
      c,
    } from './c.ts'
    export * from './d.ts'
    export type { E } from './e.ts'
    const f = await import('./f.ts')
    // import x from './x.ts'
    /* import x from './x.ts' */
    declare module './y.ts' {}
    export const text = 'from'
    const z = \`from './z.ts'\``
  assert.deepEqual(importsOf(text), ['./a.ts', './b.ts', './c.ts', './d.ts', './e.ts', './f.ts'])
})

test('the order is read from the list of services', () => {
  const index =
    'export interface Services {\n  readonly identity: IdentityService\n  readonly blockStorage: X\n}\nconst o = { a: 1 }'
  assert.deepEqual(orderOf(index), ['identity', 'block-storage'])
})

test('places', () => {
  assert.deepEqual(placeOf('src/services/image/index.ts'), { floor: 'services', service: 'image', room: 'door' })
  assert.deepEqual(placeOf('src/services/image/db/tables.ts'), { floor: 'services', service: 'image', room: 'db' })
  assert.deepEqual(placeOf('src/seed/busybox.ts'), { floor: 'top', service: null, room: null })
  assert.deepEqual(placeOf('test/support/cloud.ts'), { floor: 'outside', service: null, room: null })
})
