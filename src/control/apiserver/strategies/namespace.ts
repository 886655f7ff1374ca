import { resources } from '../../../api/index.ts'
import { strategy } from './strategy.ts'

const finalizer = 'kubernetes'
const immortal = ['default', 'kube-system', 'kube-public', 'kube-node-lease']

export const namespaces = strategy(resources.namespaces, {
  nameRule: 'dns-1123-label',
  returnsDeleted: true,
  prepareForCreate(namespace) {
    const { metadata } = namespace
    metadata.labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name ?? '' }
    namespace.spec = { finalizers: [finalizer] }
    namespace.status = { phase: 'Active' }
  },
  prepareForUpdate(namespace, before) {
    if (before.spec === undefined) delete namespace.spec
    else namespace.spec = before.spec
    const { metadata } = namespace
    metadata.labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name ?? '' }
  },
  selectableFields: ({ metadata, status }) => ({
    name: metadata.name ?? '',
    'status.phase': status?.phase ?? '',
  }),
  beginDeletion(namespace) {
    namespace.status = { ...namespace.status, phase: 'Terminating' }
  },
  isKept: ({ spec }) => (spec?.finalizers ?? []).length > 0,
  refuseDeletion: ({ metadata }) =>
    immortal.includes(metadata.name ?? '') ? 'this namespace may not be deleted' : undefined,
})
