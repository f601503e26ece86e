import type { Config } from '../config.ts'
import { type Call, configOf } from './call.ts'
import { checkEngine } from './checks/engine.ts'
import { type Finding, fail, ok } from './checks/finding.ts'
import { checkForwarding } from './checks/forwarding.ts'
import { checkKernel } from './checks/kernel.ts'
import {
  checkCgroups,
  checkClock,
  checkDisk,
  checkLimits,
  checkMemory,
  checkNode,
  checkRoot,
} from './checks/machine.ts'
import { takenPorts } from './ports.ts'
import { findPid } from './state.ts'
import { missingTools } from './tools.ts'

/** `berth doctor`: looks, changes nothing. Exit code 1 when something must be mended first. */
export async function run(call: Call): Promise<number> {
  const findings = await examine(configOf(call))
  for (const { level, what, advice } of findings) {
    call.out(`${level.padEnd(4)}  ${what}`)
    if (advice) call.out(`      → ${advice}`)
  }
  const count = (level: Finding['level']) => findings.filter((finding) => finding.level === level).length
  call.out(`\n${count('ok')} well, ${count('warn')} to know, ${count('fail')} to mend`)
  return count('fail') > 0 ? 1 : 0
}

export async function examine(config: Config): Promise<Finding[]> {
  const later = await Promise.all([
    checkKernel(),
    checkForwarding(),
    checkEngine(config),
    checkPorts(config),
    checkClock(),
  ])
  return [
    checkNode(),
    checkRoot(),
    checkTools(config),
    ...checkMemory(),
    checkDisk(config.stateDir),
    ...checkLimits(),
    checkCgroups(),
    ...later.flat(),
  ]
}

function checkTools(config: Config): Finding {
  const packages = [...new Set(missingTools(config.engineOwn).map((tool) => tool.package))]
  return packages.length === 0
    ? ok('tools: all here')
    : fail(
        `tools: missing ${packages.join(', ')}`,
        `apt-get install -y ${packages.join(' ')} (berth up does it as root)`,
      )
}

async function checkPorts(config: Config): Promise<Finding[]> {
  if (findPid(config.stateDir) !== undefined) return [ok('ports: this cloud runs')]
  const taken = await takenPorts(config)
  if (taken.length === 0) return [ok(`ports: all free on ${config.bind}`)]
  return taken.map(({ port, service, reason }) =>
    fail(`port ${port} (${service}): ${reason}`, 'stop what holds it, or move every port: --port-base N'),
  )
}
