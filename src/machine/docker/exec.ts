import { type Engine, readingBody } from './engine.ts'

/** Runs a command in a running container and waits for its end. Source: Docker Engine API reference, "Exec". */
export async function exec(
  engine: Engine,
  container: string,
  wanted: { command: readonly string[]; environment: readonly string[]; user: string },
  signal: AbortSignal,
): Promise<{ exitCode: number; output: string }> {
  const { command, environment, user } = wanted
  const body = { Cmd: command, Env: environment, User: user, AttachStdout: true, AttachStderr: true, Tty: true }
  const { Id } = await engine.json<{ Id: string }>('POST', `/containers/${encodeURIComponent(container)}/exec`, {
    ...{ body, signal },
  })
  const started = await engine.call('POST', `/exec/${Id}/start`, { body: { Detach: false, Tty: true }, signal })
  const output = await readingBody(() => started.body.text(), signal, engine.socketPath)
  const { ExitCode } = await engine.json<{ ExitCode: number | null }>('GET', `/exec/${Id}/json`, { signal })
  return { exitCode: ExitCode ?? 0, output }
}
