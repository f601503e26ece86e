/** `berth engine …` in a process of its own, killed at a fault point on the way when one is named. */
import { run } from '../../src/cli/engine-care/index.ts'
import { armFault } from '../../src/platform/faults.ts'

if (import.meta.main) {
  const [fault = '', ...words] = process.argv.slice(2)
  armFault(fault || null)
  const out = (line: string) => process.stdout.write(`${line}\n`)
  process.exitCode = await run({ flags: {}, operand: undefined, words, env: {}, out, err: out }).catch(
    (error: Error) => {
      out(error.message)
      return 1
    },
  )
}
