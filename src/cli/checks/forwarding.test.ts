import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forwardingFinding } from './forwarding.ts'

const chain = (more: object) => ({
  chain: { family: 'ip', table: 'filter', name: 'FORWARD', hook: 'forward', ...more },
})
const cases: [what: string, chains: object[], legacy: string, level: string][] = [
  ['nothing', [], '', 'ok'],
  ['a chain that accepts', [chain({ policy: 'accept' })], '-P FORWARD ACCEPT\n', 'ok'],
  ['a chain of another hook', [chain({ hook: 'input', policy: 'drop' })], '', 'ok'],
  ['bridged packets', [chain({ family: 'bridge', policy: 'drop' })], '', 'ok'],
  ["Docker's", [chain({ policy: 'drop' })], '', 'warn'],
  ['an old table', [], '-P FORWARD DROP\n-A FORWARD -j X\n', 'warn'],
]
for (const [what, chains, legacy, level] of cases) {
  test(`a FORWARD policy: ${what}`, () => {
    const text = JSON.stringify({ nftables: [{ metainfo: {} }, ...chains] })
    assert.equal(forwardingFinding(text, legacy).level, level)
  })
}
