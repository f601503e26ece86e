import type * as containers from '../../../machine/docker/containers.ts'
import type { Engine } from '../../../machine/docker/engine.ts'
import { exec } from '../../../machine/docker/exec.ts'
import { CloudError } from '../../../platform/errors.ts'

/** A busybox may have `passwd` alone, which asks twice. */
const script = `if command -v chpasswd >/dev/null; then printf "%s\\n" "$BERTH_ENTRY" | chpasswd
else word="\${BERTH_ENTRY#root:}"; printf "%s\\n%s\\n" "$word" "$word" | passwd root; fi`

/**
 * Sets root's password with the image's own `chpasswd`, or `passwd`. The password goes by the environment, which nobody but root can
 * read there, and not by the command line, which everybody can. @throws CloudError `conflict`
 */
export async function setPassword(
  engine: Engine,
  found: containers.Container,
  password: string,
  signal: AbortSignal,
): Promise<void> {
  if (!found.State.Running || found.State.Paused) throw new CloudError('conflict', 'The server does not run.')
  const command = ['sh', '-c', script]
  const { exitCode, output } = await exec(
    engine,
    found.Id,
    { command, environment: [`BERTH_ENTRY=root:${password}`], user: '0' },
    signal,
  ).catch((error: unknown) => {
    // Without a shell there is no way in.
    if (error instanceof CloudError && error.kind !== 'unavailable') {
      throw new CloudError('conflict', `The image has no shell to set a password with: ${error.message}`)
    }
    throw error
  })
  if (exitCode === 0) return
  const why = output.trim().split('\n').at(-1) || `chpasswd ended with code ${exitCode}`
  throw new CloudError('conflict', `The password could not be set inside the server: ${why}`)
}
