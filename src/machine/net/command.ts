import { spawn } from 'node:child_process'
import { CloudError } from '../../platform/errors.ts'

export interface Finished {
  code: number
  stdout: string
  stderr: string
}

/** Runs a tool to its end, without a shell and without blocking. `input` goes to its standard input. Never throws on a status. */
export function runTool(argv: readonly string[], input = ''): Promise<Finished> {
  const [command = '', ...args] = argv
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.on('error', (cause) => reject(new CloudError('unavailable', `${command} cannot be run: ${cause.message}`)))
    child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr }))
    child.stdin.on('error', () => {}) // a tool that ends early says why on stderr
    child.stdin.end(input)
  })
}

/** As `runTool`, and answers what it wrote. @throws CloudError `internal` with the tool's own words */
export async function mustRun(argv: readonly string[], input = ''): Promise<string> {
  const { code, stdout, stderr } = await runTool(argv, input)
  if (code !== 0) throw new CloudError('internal', `${argv.join(' ')} failed: ${stderr.trim() || `status ${code}`}`)
  return stdout
}
