import type { KubernetesObject } from '../../../api/index.ts'

/** Two kinds that show the same stored objects. */
export interface View {
  fromStored(stored: KubernetesObject): KubernetesObject
  toStored(shown: KubernetesObject): KubernetesObject
}

type Fields = Record<string, unknown>

/** events.k8s.io name → core name; all other fields have the same name in both. */
const eventNames: readonly (readonly [shown: string, stored: string])[] = [
  ['regarding', 'involvedObject'],
  ['note', 'message'],
  ['deprecatedSource', 'source'],
  ['deprecatedFirstTimestamp', 'firstTimestamp'],
  ['deprecatedLastTimestamp', 'lastTimestamp'],
  ['deprecatedCount', 'count'],
  ['reportingController', 'reportingComponent'],
]

const eventsView: View = {
  fromStored: (stored) => ({
    ...renamed(stored, new Map(eventNames.map(([shown, core]) => [core, shown]))),
    apiVersion: 'events.k8s.io/v1',
  }),
  toStored: (shown) => ({ ...renamed(shown, new Map(eventNames)), apiVersion: 'v1' }),
}

/** The view of a row that has `viewOf`, by group, version and plural. */
export const views: ReadonlyMap<string, View> = new Map([['events.k8s.io/v1/events', eventsView]])

function renamed(object: KubernetesObject, names: ReadonlyMap<string, string>): KubernetesObject {
  const fields = Object.entries(object as unknown as Fields)
  return Object.fromEntries(
    fields.map(([key, value]) => [names.get(key) ?? key, value]),
  ) as unknown as KubernetesObject
}
