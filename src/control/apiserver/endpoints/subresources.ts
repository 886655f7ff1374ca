import type { HTTPMethod } from 'find-my-way'
import type { ResourceType } from '../../../api/index.ts'
import { bindPod } from './binding.ts'
import type { Endpoint } from './endpoint.ts'
import { evictPod } from './eviction.ts'
import { finalizeNamespace } from './finalize.ts'
import { getObject, replaceObject } from './object.ts'
import { patchObject, patchScale } from './patch.ts'
import { getScale, replaceScale } from './scale.ts'

type Methods = readonly (readonly [HTTPMethod, Endpoint])[]

/** What each subresource does, by method. Those that are streams to a kubelet are added by the server. */
const bySubresource: Record<string, Methods> = {
  status: [
    ['GET', getObject],
    ['PUT', replaceObject('status')],
    ['PATCH', patchObject('status')],
  ],
  scale: [
    ['GET', getScale],
    ['PUT', replaceScale],
    ['PATCH', patchScale],
  ],
  'pods/binding': [['POST', bindPod]],
  'pods/eviction': [['POST', evictPod]],
  'namespaces/finalize': [['PUT', finalizeNamespace]],
}

export function subresourceEndpoints(type: ResourceType, subresource: string): Methods {
  return bySubresource[`${type.plural}/${subresource}`] ?? bySubresource[subresource] ?? []
}
