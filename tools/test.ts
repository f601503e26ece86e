/**
 * `npm test [-- FILTER …]`, and `berth test [FILTER …]`: makes sure of the programs that the tests start, then types,
 * format and lint, arrows, and every test. A filter is a part of a test file's path, and skips the checks before;
 * arguments that begin with a dash go to Node's test runner. The exit code is 0 only when everything passed.
 */
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ensureTools } from '../src/cli/tools.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const node = process.execPath
const options = process.argv.slice(2).filter((argument) => argument.startsWith('-'))
const filters = process.argv.slice(2).filter((argument) => !argument.startsWith('-'))

const checks: [name: string, program: string, args: string[]][] = [
  ['types', node, ['node_modules/typescript/bin/tsc', '--noEmit']],
  ['format and lint', node, ['node_modules/@biomejs/biome/bin/biome', 'check', '.']],
  ['arrows', node, ['tools/arrows.ts']],
]

process.exitCode = await main()

async function main(): Promise<number> {
  await ensureTools({ ownEngine: true, forTests: true, say: (line) => console.log(line) })
  const files = testFiles()
  if (files.length === 0) {
    console.error(`no test file has ${filters.map((filter) => `"${filter}"`).join(' or ')} in its path`)
    return 1
  }
  let failed = 0
  for (const [name, program, args] of filters.length > 0 ? [] : checks) {
    console.log(`── ${name}`)
    // All of them run: whoever mends the types wants to see the tests too.
    if ((await run(program, args)) !== 0) failed = 1
  }
  console.log(`── ${files.length} test files`)
  // Two at a time: the stories start engines and clouds of their own, and small machines must not starve them.
  const code = await run(node, ['--test', '--test-concurrency=2', ...options, ...files])
  if (failed) console.error('the checks before the tests found faults; they stand above')
  return code === 0 ? failed : code
}

function testFiles(): string[] {
  const all = globSync(['src/**/*.test.ts', 'test/**/*.test.ts', 'tools/**/*.test.ts'], { cwd: root }).sort()
  return filters.length === 0 ? all : all.filter((file) => filters.some((filter) => file.includes(filter)))
}

/** Resolves to the exit code; a program ended by a signal failed. */
function run(program: string, args: string[]): Promise<number> {
  const child = spawn(program, args, { cwd: root, stdio: 'inherit' })
  const hand = (signal: NodeJS.Signals) => child.kill(signal)
  process.once('SIGTERM', hand)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => {
      process.off('SIGTERM', hand)
      resolve(code ?? 1)
    })
  })
}
