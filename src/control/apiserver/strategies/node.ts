import { resources } from '../../../api/index.ts'
import { strategy } from './strategy.ts'

export const nodes = strategy(resources.nodes, {
  validate({ spec }, errors) {
    for (const [i, { key, effect }] of (spec?.taints ?? []).entries()) {
      if (!key) errors.required(`spec.taints[${i}].key`)
      if (!effect) errors.required(`spec.taints[${i}].effect`)
      else errors.oneOf(`spec.taints[${i}].effect`, effect, ['NoSchedule', 'PreferNoSchedule', 'NoExecute'])
    }
  },
  validateUpdate({ spec }, before, errors) {
    for (const field of ['podCIDR', 'providerID'] as const) {
      const was = before.spec?.[field]
      if (was && spec?.[field] !== was)
        errors.forbidden(`spec.${field}`, 'node updates may not change it once set')
    }
  },
  selectableFields: ({ spec }) => ({ 'spec.unschedulable': String(spec?.unschedulable ?? false) }),
})
