import assert from 'node:assert/strict'
import { test } from 'node:test'
import { age, linesOf } from './status.ts'

const nowMs = Date.parse('2026-11-21T10:00:00Z')

test('status is three tables', () => {
  const lines = linesOf(
    {
      version: '1.0.0',
      pid: 7,
      stateDir: '/var/lib/berth',
      residentMiB: 99,
      services: [{ name: 'identity', url: 'http://127.0.0.1:5000', since: '2026-11-21T09:00:00.000000Z' }],
      hosts: [
        {
          name: 'node1',
          role: 'compute',
          up: false,
          since: '2026-11-21T09:00:00.000000Z',
          seenAt: '2026-11-21T09:50:00.000000Z',
        },
      ],
      loops: [
        {
          name: 'compute.servers',
          rounds: 12,
          lastStart: '2026-11-21T09:59:55.000000Z',
          lastMs: 3,
          lastError: null,
          lastResult: { sent: 2, failed: 0 },
        },
        {
          name: 'network.ports',
          rounds: 1,
          lastStart: null,
          lastMs: null,
          lastError: 'no host answers',
          lastResult: null,
        },
      ],
    },
    nowMs,
  )
  assert.deepEqual(lines, [
    'running: process 7, 99 MiB, version 1.0.0, /var/lib/berth',
    '',
    'SERVICE   UP SINCE             ADDRESS',
    'identity  2026-11-21 09:00:00  http://127.0.0.1:5000',
    '',
    'HOST   ROLE     STATE  UP SINCE             HEARD OF',
    'node1  compute  down   2026-11-21 09:00:00  10 min ago',
    '',
    'LOOP             ROUNDS  LAST     TOOK  RESULT',
    'compute.servers  12      5 s ago  3 ms  sent 2, failed 0',
    'network.ports    1       never          failed: no host answers',
  ])
})

test('an age is a number and a unit', () => {
  const ages = [0, 999, 119_000, 120_000, 7_200_000, 172_800_000, -5].map(age)
  assert.deepEqual(ages, ['0 s', '1 s', '119 s', '2 min', '2 h', '2 d', '0 s'])
})
