import type { HTTPMethod } from 'find-my-way'
import type { ResourceType } from '../../../api/index.ts'
import type { KubeletConnection } from '../kubelet/connection.ts'
import { podLog } from '../kubelet/logs.ts'
import { upgradeRequired } from '../kubelet/streams.ts'
import { bindPod } from './binding.ts'
import type { Endpoint } from './endpoint.ts'
import { evictPod } from './eviction.ts'
import { finalizeNamespace } from './finalize.ts'
import { getObject, replaceObject } from './object.ts'
import { patchObject, patchScale } from './patch.ts'
import { getScale, replaceScale } from './scale.ts'

export type Methods = readonly (readonly [HTTPMethod, Endpoint])[]

/** What each subresource does, by method. */
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

/** The subresources that lead to a kubelet. */
export function kubeletEndpoints(kubelets: KubeletConnection): Readonly<Record<string, Methods>> {
  const stream: Methods = [
    ['GET', upgradeRequired],
    ['POST', upgradeRequired],
  ]
  return {
    'pods/log': [['GET', podLog(kubelets)]],
    'pods/exec': stream,
    'pods/attach': stream,
    'pods/portforward': stream,
  }
}

export function subresourceEndpoints(
  type: ResourceType,
  subresource: string,
  more: Readonly<Record<string, Methods>>,
): Methods {
  const name = `${type.plural}/${subresource}`
  return more[name] ?? bySubresource[name] ?? bySubresource[subresource] ?? []
}
