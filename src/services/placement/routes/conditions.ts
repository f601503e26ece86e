import type { FastifyRequest } from 'fastify'
import type { Conditions } from '../logic/forest.ts'
import { badRequest } from '../logic/refusals.ts'
import { all, dashed, isUuid, queryOf, since } from './common.ts'

/** `VCPU:2,MEMORY_MB:1024`. @throws CloudError `badRequest` */
export function resourcesOf(text: string): Map<string, number> {
  const form = 'Expected resources query string parameter in form: ?resources=VCPU:2,MEMORY_MB:1024.'
  if (text.trim() === '') throw badRequest(`Badly formed resources parameter. ${form} Got: empty string.`)
  const found = new Map<string, number>()
  for (const part of text.split(',')) {
    const [name, amount, ...rest] = part.split(':')
    if (!name || amount === undefined || rest.length > 0) {
      throw badRequest(`Badly formed resources parameter. ${form} Got: ${part}.`)
    }
    if (!/^\s*[+-]?\d{1,15}\s*$/.test(amount)) {
      throw badRequest(`Requested resource ${name} expected positive integer amount. Got: ${amount}.`)
    }
    if (Number(amount) < 1) throw badRequest(`Requested resource ${name} requires amount >= 1. Got: ${Number(amount)}.`)
    found.set(name, Number(amount))
  }
  return found
}

/** `required…`: names to have, `!` before those not to have (1.22), `in:` before several of which one will do (1.39). */
export function traitsOf(request: FastifyRequest, key: string): Conditions {
  const values = all(queryOf(request), key)
  // Before 1.39 a repeated parameter's last value counts.
  return parseTraits(since(request, '1.39') ? values : values.slice(-1), {
    mayForbid: since(request, '1.22'),
    mayChoose: since(request, '1.39'),
  })
}

export function parseTraits(
  values: readonly string[],
  { mayForbid, mayChoose }: { mayForbid: boolean; mayChoose: boolean },
): Conditions {
  const allOf: Set<string>[] = []
  const noneOf = new Set<string>()
  const form = mayForbid ? 'HW_CPU_X86_VMX,!CUSTOM_MAGIC' : 'HW_CPU_X86_VMX,CUSTOM_MAGIC'
  const refused = (why: string) => badRequest(`Invalid query string parameters: ${why}`)
  for (const value of values) {
    const choice = value.startsWith('in:')
    if (choice && !mayChoose) {
      throw refused(`The format 'in:HW_CPU_X86_VMX,CUSTOM_MAGIC' only supported since microversion 1.39. Got: ${value}`)
    }
    const names = (choice ? value.slice(3) : value).split(',').map((name) => name.trim())
    const bare = names.map((name) => name.replace(/^!+/, ''))
    if (bare.includes('')) {
      const wanted = choice ? 'in:HW_CPU_X86_VMX,CUSTOM_MAGIC' : form
      throw refused(`Expected 'required' parameter value of the form: ${wanted}. Got an empty trait in: ${value}`)
    }
    const forbidden = names.some((name) => name.startsWith('!'))
    if (choice && forbidden) {
      throw refused(`The format 'in:HW_CPU_X86_VMX,CUSTOM_MAGIC' does not support forbidden traits. Got: ${value}`)
    }
    if (forbidden && !mayForbid) {
      throw refused(`Expected 'required' parameter value of the form: ${form}. Got: ${value}`)
    }
    if (choice) allOf.push(new Set(names))
    else
      for (const name of names) {
        if (name.startsWith('!')) noneOf.add(name.replace(/^!+/, ''))
        else allOf.push(new Set([name]))
      }
  }
  return { allOf, noneOf }
}

/** `member_of…`: one, `in:` several of which one will do; `!` before either for those not to be in (1.32). */
export function aggregatesOf(request: FastifyRequest, key: string): Conditions {
  const values = all(queryOf(request), key)
  if (values.length > 1 && !since(request, '1.24')) throw badRequest(`Multiple ${key} parameters are not supported`)
  const allOf: Set<string>[] = []
  const noneOf = new Set<string>()
  for (const value of values) {
    const [, not, among, list] = /^(!?)(in:)?(.*)$/s.exec(value)!
    const ids = list!.split(',')
    if (ids.length > 1 && !among) {
      const why = "must be prefixed with the 'in:' or '!in:' keyword using the valid microversion."
      throw badRequest(`Multiple values for 'member_of' ${why} Got: ${value}`)
    }
    const bad = ids.find((id) => !isUuid(id))
    if (bad !== undefined) {
      const why = "Expected 'member_of' parameter to contain valid UUID(s)."
      throw badRequest(`Invalid query string parameters: ${why} Got: ${bad}`)
    }
    if (not && !since(request, '1.32')) {
      throw badRequest(`Forbidden ${key} parameters are not supported in the specified microversion`)
    }
    if (not) for (const id of ids) noneOf.add(dashed(id))
    else allOf.push(new Set(ids.map(dashed)))
  }
  return { allOf, noneOf }
}
