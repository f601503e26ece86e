import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fuzz, toldOf } from '../../tools/fuzz.ts'
import { startCloud } from '../support/cloud.ts'

test('whatever is sent to any route is answered, soon, and in the words of its service', async (t) => {
  const cloud = await startCloud(t)
  const seed = Date.now() % 2 ** 31
  t.diagnostic(`seed ${seed}`)
  const { findings, requests, statuses } = await fuzz(cloud, { seed, requests: 5000, seconds: 15 })
  assert.deepEqual(findings.map(toldOf), [], `seed ${seed}`)
  t.diagnostic(JSON.stringify({ requests, statuses }))
  assert.ok((statuses[200] ?? 0) > requests / 50, 'hardly anything was understood: the fuzzer has lost its way')
})
