import { isIPv4, isIPv6 } from 'node:net'
import { type EndpointSlice, resources } from '../../../api/index.ts'
import type { FieldErrors } from './field-errors.ts'
import { strategy } from './strategy.ts'

const endpointsMax = 1000

export const endpointSlices = strategy(resources.endpointslices, {
  countsGenerations: true,
  setDefaults(slice) {
    slice.endpoints ??= []
    for (const port of slice.ports ?? []) {
      port.name ??= ''
      port.protocol ??= 'TCP'
    }
  },
  validate: validateSlice,
  validateUpdate: (slice, before, errors) =>
    errors.immutable('addressType', slice.addressType, before.addressType),
})

function validateSlice(
  { addressType, endpoints = [], ports = [] }: EndpointSlice,
  errors: FieldErrors,
): void {
  if (!addressType) errors.required('addressType')
  else errors.oneOf('addressType', addressType, ['FQDN', 'IPv4', 'IPv6'])
  if (endpoints.length > endpointsMax)
    errors.invalid('endpoints', endpoints.length, `must have at most ${endpointsMax} items`)
  for (const [i, { addresses }] of endpoints.entries()) {
    if (addresses.length === 0)
      errors.required(`endpoints[${i}].addresses`, 'must contain at least 1 address')
    for (const address of addresses) {
      const fits =
        addressType === 'IPv4' ? isIPv4(address) : addressType === 'IPv6' ? isIPv6(address) : address !== ''
      if (!fits)
        errors.invalid(`endpoints[${i}].addresses`, address, `must be a valid ${addressType} address`)
    }
  }
  const names = ports.map(({ name }) => name ?? '')
  for (const [i, name] of names.entries())
    if (names.indexOf(name) !== i) errors.duplicate(`ports[${i}].name`, name)
}
