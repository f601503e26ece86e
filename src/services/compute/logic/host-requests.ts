import { CloudError } from '../../../platform/errors.ts'
import type { Server } from '../db/servers.ts'
import {
  type ConsoleRequest,
  type Diagnostics,
  type DiagnosticsRequest,
  type PasswordRequest,
  subjects,
} from '../messages.ts'
import type { Deps } from './deps.ts'

const timeoutMs = 20_000

/** What the server's terminal has shown; `lines` counts from the end, null is all. */
export async function consoleOutput({ bus }: Deps, server: Server, lines: number | null): Promise<string> {
  if (lines === 0) return ''
  const host = hostOf(server)
  const request: ConsoleRequest = { serverId: server.id, lines }
  const { output } = await asked(server, () =>
    bus.request<{ output: string }>(subjects.console(host), request, { timeoutMs }),
  )
  // XML's rules once bound the API, and clients print to terminals: control codes go, but for tabs and line ends.
  const clean = output.replace(/[^\P{Cc}\n\t\r]/gu, '')
  // What follows the last line end counts as a line, be it empty: so upstream counts, and clients with it.
  return lines === null ? clean : clean.split('\n').slice(-lines).join('\n')
}

export async function diagnostics({ bus }: Deps, server: Server): Promise<Diagnostics> {
  const host = hostOf(server)
  const request: DiagnosticsRequest = { serverId: server.id }
  return await asked(server, () => bus.request<Diagnostics>(subjects.diagnostics(host), request, { timeoutMs }))
}

/** Of root, inside the server. @throws CloudError `conflict` when the image has no means for it */
export async function setPassword({ bus }: Deps, server: Server, password: string): Promise<void> {
  const host = hostOf(server)
  const request: PasswordRequest = { serverId: server.id, password }
  await asked(server, () => bus.request<object>(subjects.password(host), request, { timeoutMs }))
}

/** @throws CloudError `conflict` for a server that no host has */
export function hostOf(server: Server): string {
  if (server.host === null || server.containerId === null) {
    throw new CloudError('conflict', `Instance ${server.id} is not ready`)
  }
  return server.host
}

/** The host's own words, but for its not finding what is only not made yet. */
export async function asked<T>(server: Server, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof CloudError && error.kind === 'notFound') {
      throw new CloudError('conflict', `Instance ${server.id} is not ready`, { cause: error })
    }
    throw error
  }
}
