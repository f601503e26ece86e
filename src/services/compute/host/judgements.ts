import type * as containers from '../../../machine/docker/containers.ts'
import { CloudError } from '../../../platform/errors.ts'
import { buildLabel } from './container-spec.ts'
import { startedAtOf } from './seen.ts'

/** Made before there were rebuilds, it bears no label. */
export const buildOf = (found: containers.Container): number => Number(found.Config.Labels?.[buildLabel] ?? 0)

/** Never started: what a broken create leaves. Made anew, for the order may say something else by now. */
export const halfMade = (found: containers.Container): boolean =>
  found.State.Status === 'created' || (found.State.Status === 'dead' && startedAtOf(found) === null)

export const isImageAbsent = (thrown: unknown): boolean =>
  thrown instanceof CloudError && thrown.kind === 'notFound' && /no such image/i.test(thrown.message)

export const isNetworkAbsent = (thrown: unknown): boolean =>
  thrown instanceof CloudError && thrown.kind === 'notFound' && /network .*not found/i.test(thrown.message)

/** The plug failed first and took the rest with it: that is the news. */
export async function failureOf(plugged: Promise<void>, otherwise: unknown, way: { step: string }): Promise<unknown> {
  try {
    await plugged
    return otherwise
  } catch (thrown) {
    way.step = 'compute.create.connected'
    return thrown
  }
}
