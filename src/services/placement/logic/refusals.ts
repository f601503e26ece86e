import { CloudError } from '../../../platform/errors.ts'

/** The codes that clients read from 1.23 on. Source: Placement API reference, "Error Codes". */
export const codes = {
  inventoryInUse: 'placement.inventory.inuse',
  concurrentUpdate: 'placement.concurrent_update',
  duplicateName: 'placement.duplicate_name',
  providerInUse: 'placement.resource_provider.inuse',
  cannotDeleteParent: 'placement.resource_provider.cannot_delete_parent',
  providerNotFound: 'placement.resource_provider.not_found',
  duplicateKey: 'placement.query.duplicate_key',
  badValue: 'placement.query.bad_value',
  missingValue: 'placement.query.missing_value',
} as const

type Code = (typeof codes)[keyof typeof codes]

const typed = (code: Code | undefined) => (code === undefined ? {} : { type: code })

export const badRequest = (message: string, code?: Code): CloudError =>
  new CloudError('badRequest', message, typed(code))
export const conflict = (message: string, code?: Code): CloudError => new CloudError('conflict', message, typed(code))
export const notFound = (message: string): CloudError => new CloudError('notFound', message)
