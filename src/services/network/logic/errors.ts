import { CloudError, type Kind } from '../../../platform/errors.ts'

/** A failure under the name of Neutron's exception, which clients read as `type`. */
const named = (kind: Kind) => (type: string, message: string) => new CloudError(kind, message, { type })

export const badRequest = named('badRequest')
export const conflict = named('conflict')
export const forbidden = named('forbidden')
export const missing = named('notFound')

/** What Neutron's own front door says before a plug-in sees the request. */
export const malformed = (message: string) => badRequest('HTTPBadRequest', message)

/** Said as 412 by `routes/fault.ts`. */
export const revisionConflictType = 'RevisionNumberConstraintFailed'
export const revisionConflict = (expected: number) =>
  conflict(revisionConflictType, `Constrained to ${expected}, but current revision is another.`)

/** @param detail ends without a full stop */
export const invalidInput = (detail: string) => badRequest('InvalidInput', `Invalid input for operation: ${detail}.`)

export const networkNotFound = (id: string) => missing('NetworkNotFound', `Network ${id} could not be found.`)
export const subnetNotFound = (id: string) => missing('SubnetNotFound', `Subnet ${id} could not be found.`)
export const portNotFound = (id: string) => missing('PortNotFound', `Port ${id} could not be found.`)
export const groupNotFound = (id: string) => missing('SecurityGroupNotFound', `Security group ${id} does not exist`)
export const ruleNotFound = (id: string) =>
  missing('SecurityGroupRuleNotFound', `Security group rule ${id} does not exist`)

export const networkInUse = (id: string) =>
  conflict(
    'NetworkInUse',
    `Unable to complete operation on network ${id}. There are one or more ports still in use on the network.`,
  )
export const noMoreAddresses = (networkId: string) =>
  conflict('IpAddressGenerationFailure', `No more IP addresses available on network ${networkId}.`)
export const overQuota = (resources: readonly string[]) =>
  conflict('OverQuota', `Quota exceeded for resources: [${resources.map((name) => `'${name}'`).join(', ')}].`)
