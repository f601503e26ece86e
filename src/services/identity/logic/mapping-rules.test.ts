import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Assertion, applyMapping, attributeKey, type Local, type Mapped, type Remote } from './mapping-rules.ts'

const said = (attributes: Record<string, string>): Assertion =>
  new Map(Object.entries(attributes).map(([name, value]) => [attributeKey(name), value.split(';')]))

const bob = said({
  'OIDC-preferred_username': 'bob',
  mail: 'bob@example.org',
  groups: 'staff;admins;x-1',
  one: 'staff',
})
const nobody: Mapped = { user: {}, groupIds: [], groupNames: [], projects: [] }
const name: Remote = { type: 'HTTP_OIDC_PREFERRED_USERNAME' }
const user: Local = { user: { name: '{0}' } }
const groups = (more: Partial<Remote>): Remote => ({ type: 'groups', ...more })
const inDomain = (...names: string[]) => names.map((each) => ({ name: each, domain: { id: 'd' } }))

const cases: [what: string, local: Local[], remote: Remote[], mapped: Partial<Mapped> | null][] = [
  ['an attribute by its name in any spelling', [user], [name], { user: { name: 'bob' } }],
  ['a missing attribute', [user], [{ type: 'nickname' }], null],
  ['any one of', [user], [name, groups({ any_one_of: ['admins', 'y'] })], { user: { name: 'bob' } }],
  ['none of any one of', [user], [name, groups({ any_one_of: ['y'] })], null],
  ['any one of, by regex', [user], [name, groups({ any_one_of: ['^x-\\d$'], regex: true })], { user: { name: 'bob' } }],
  ['not any of', [user], [name, groups({ not_any_of: ['staff'] })], null],
  ['not any of what is not there', [user], [name, groups({ not_any_of: ['y'] })], { user: { name: 'bob' } }],
  [
    'a condition makes no match to refer to',
    [{ user: { name: '{1}' } }],
    [groups({ any_one_of: ['staff'] }), name, { type: 'mail' }],
    { user: { name: 'bob@example.org' } },
  ],
  [
    'text round the matches',
    [{ user: { name: '{{{0}}} <{1}>' } }],
    [name, { type: 'mail' }],
    { user: { name: '{bob} <bob@example.org>' } },
  ],
  [
    'all groups',
    [{ groups: '{0}', domain: { id: 'd' } }],
    [groups({})],
    { groupNames: inDomain('staff', 'admins', 'x-1') },
  ],
  ['one group', [{ groups: '{0}', domain: { id: 'd' } }], [{ type: 'one' }], { groupNames: inDomain('staff') }],
  ['a whitelist', [{ group_ids: '{0}' }], [groups({ whitelist: ['admins', 'y'] })], { groupIds: ['admins'] }],
  ['a whitelist that leaves none', [{ group_ids: '{0}' }], [groups({ whitelist: ['y'] })], {}],
  ['a blacklist', [{ group_ids: '{0}' }], [groups({ blacklist: ['^x', 'min'], regex: true })], { groupIds: ['staff'] }],
  ['a list as Python writes it', [{ group_ids: "['a', 'b']" }], [name], { groupIds: ['a', 'b'] }],
  [
    'a group by id, another by name',
    [{ group: { id: 'g' } }, { group: inDomain('h')[0]! }],
    [name],
    { groupIds: ['g'], groupNames: inDomain('h') },
  ],
  [
    'projects with roles',
    [{ projects: [{ name: 'of {0}', roles: [{ name: 'member' }] }] }],
    [name],
    { projects: [{ name: 'of bob', roles: [{ name: 'member' }] }] },
  ],
]
for (const [what, local, remote, mapped] of cases)
  test(`mapping: ${what}`, () => {
    assert.deepEqual(applyMapping('m', [{ local, remote }], bob), mapped && { ...nobody, ...mapped })
  })

test('rules add up, and the first user named is the user', () => {
  const rules = [
    { local: [{ user: { name: 'first' } }], remote: [{ type: 'mail', any_one_of: ['somebody@else.org'] }] },
    { local: [{ user: { name: 'second' } }, { group: { id: 'g1' } }], remote: [name] },
    { local: [{ user: { name: 'third' } }, { group: { id: 'g2' } }], remote: [name] },
  ]
  const mapped = applyMapping('m', rules, bob)
  assert.deepEqual([mapped?.user.name, mapped?.groupIds], ['second', ['g1', 'g2']])
})

test('a local part that refers to no match is refused', () => {
  const rule = { local: [{ user: { name: '{1}' } }], remote: [name] }
  assert.throws(() => applyMapping('m', [rule], bob), { kind: 'forbidden', message: /mapping m .*\{1\}/ })
})
