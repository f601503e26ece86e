import { createServer, type Server } from 'node:net'
import type { TestContext } from 'node:test'
import { ports } from '../../src/platform/config.ts'

/**
 * Below the range that outgoing connections take, above the ports that `fetch` refuses to speak to, and apart from the
 * bases that `newBerth` is given by name.
 */
const bases = Array.from({ length: 130 }, (_, i) => 6000 + i * 100)

/** A port next to those of a cloud on `base`; whoever listens on it owns the base. */
const claimOf = (base: number): number => base + 4999

let next = process.pid * 7

/**
 * A `portBase` that is this test's alone until it ends, whatever other test processes do meanwhile: between finding ports
 * free and listening on them nobody else can be given the same ones.
 */
export async function claimPortBase(t: TestContext): Promise<number> {
  for (let tries = 0; tries < bases.length; tries++) {
    const base = bases[next++ % bases.length] ?? 0
    const claim = await listenOn(claimOf(base))
    if (!claim) continue
    const others = await Promise.all(Object.values(ports).map((port) => listenOn(port + base)))
    await Promise.all(others.map((server) => server && closed(server)))
    if (others.includes(null)) {
      await closed(claim)
      continue
    }
    t.after(() => closed(claim))
    return base
  }
  throw new Error('every port that tests may use is taken')
}

const listenOn = (port: number): Promise<Server | null> =>
  new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(null)).listen(port, '127.0.0.1', () => resolve(server))
  })

const closed = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()))
