import { CloudError } from '../platform/errors.ts'
import { type Call, configOf, UsageError } from './call.ts'
import { askControl } from './control-socket.ts'

/** `berth identity rotate-keys`: the running cloud makes the keys and uses them at once. */
export async function run(call: Call): Promise<number> {
  if (call.operand !== 'rotate-keys') throw new UsageError(`berth identity can only: rotate-keys`)
  const { stateDir } = configOf(call)
  const said = await askControl<{ kid: string; keys: number; tokenHours: number }>(stateDir, 'rotate-keys')
  if (said.state !== 'up')
    throw new CloudError('unavailable', `the cloud in ${stateDir} does not run; run: berth up -d`)
  const { kid, keys, tokenHours } = said.answer
  call.out(`tokens are signed with key ${kid} from now on`)
  if (keys > 1)
    call.out(`what ${keys - 1} older signed stays good; each is forgotten ${tokenHours} h after its last token`)
  call.out('credentials are sealed with a new key, too; the older one is forgotten when nothing is left that it sealed')
  return 0
}
