import type { ResourceType } from '../../../api/index.ts'
import { parseCidr } from '../../../base/index.ts'
import { configMaps, secrets } from './config.ts'
import { deployments } from './deployment.ts'
import { endpointSlices } from './endpoint-slice.ts'
import { events } from './event.ts'
import { leases } from './lease.ts'
import { namespaces } from './namespace.ts'
import { nodes } from './node.ts'
import { pods } from './pod.ts'
import { replicaSets } from './replica-set.ts'
import { services } from './service.ts'
import type { Strategy } from './strategy.ts'

/** The table of strategies. A kind without a row follows the rules for all kinds. */
export function strategiesFor(options: { serviceCidr: string }): ReadonlyMap<ResourceType, Strategy> {
  return new Map([
    configMaps,
    deployments,
    endpointSlices,
    events,
    leases,
    namespaces,
    nodes,
    pods,
    replicaSets,
    secrets,
    services(parseCidr(options.serviceCidr)),
  ])
}
