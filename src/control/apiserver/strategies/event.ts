import { resources } from '../../../api/index.ts'
import { strategy } from './strategy.ts'

const hourMs = 3_600_000

export const events = strategy(resources.events, {
  createsOnUpdate: true,
  lifetimeMs: hourMs,
  validate({ metadata, involvedObject }, errors) {
    const { namespace = '' } = involvedObject
    const place = namespace === '' ? ['default', 'kube-system'] : [namespace]
    if (!place.includes(metadata.namespace ?? '')) {
      errors.invalid('involvedObject.namespace', namespace, 'does not match event.namespace')
    }
  },
  selectableFields: ({ involvedObject: of, reason, type, source, reportingComponent }) => ({
    'involvedObject.kind': of?.kind ?? '',
    'involvedObject.namespace': of?.namespace ?? '',
    'involvedObject.name': of?.name ?? '',
    'involvedObject.uid': of?.uid ?? '',
    'involvedObject.apiVersion': of?.apiVersion ?? '',
    'involvedObject.resourceVersion': of?.resourceVersion ?? '',
    'involvedObject.fieldPath': of?.fieldPath ?? '',
    'regarding.kind': of?.kind ?? '',
    'regarding.namespace': of?.namespace ?? '',
    'regarding.name': of?.name ?? '',
    'regarding.uid': of?.uid ?? '',
    reason: reason ?? '',
    reportingComponent: reportingComponent ?? '',
    source: source?.component ?? reportingComponent ?? '',
    type: type ?? '',
  }),
})
