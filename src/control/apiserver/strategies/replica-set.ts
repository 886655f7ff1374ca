import { resources } from '../../../api/index.ts'
import { setPodSpecDefaults } from './pod-defaults.ts'
import { strategy } from './strategy.ts'
import { validateWorkload } from './workload.ts'

export const replicaSets = strategy(resources.replicasets, {
  countsGenerations: true,
  setDefaults: ({ spec }) => {
    spec.replicas ??= 1
    if (spec.template?.spec) setPodSpecDefaults(spec.template.spec)
  },
  prepareForCreate(replicaSet) {
    replicaSet.status = { replicas: 0 }
  },
  validate: ({ spec }, errors) => validateWorkload(spec, errors),
  validateUpdate: ({ spec }, before, errors) =>
    errors.immutable('spec.selector', spec.selector, before.spec.selector),
  selectableFields: ({ status }) => ({ 'status.replicas': String(status?.replicas ?? 0) }),
})
