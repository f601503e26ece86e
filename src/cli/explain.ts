import { CloudError } from '../platform/errors.ts'
import { type Call, configOf, UsageError } from './call.ts'
import { askControl } from './control-socket.ts'
import type { ServerExplanation } from './running-cloud.ts'

/** `berth explain SERVER`: why it is on its host, or which filter of which host refused it. */
export async function run(call: Call): Promise<number> {
  if (call.operand === undefined) throw new UsageError('it is called so: berth explain SERVER')
  const { stateDir } = configOf(call)
  const said = await askControl<ServerExplanation>(stateDir, 'explain', call.operand)
  if (said.state !== 'up')
    throw new CloudError('unavailable', `the cloud in ${stateDir} does not run; run: berth up -d`)
  const { id, name, status, lines } = said.answer
  for (const line of [`${name} (${id}): ${status}`, ...lines]) call.out(line)
  return 0
}
