import { resources } from '../../../api/index.ts'
import { strategy } from './strategy.ts'

export const leases = strategy(resources.leases, {
  createsOnUpdate: true,
  validate({ spec = {} }, errors) {
    if (spec.leaseDurationSeconds !== undefined)
      errors.integer('spec.leaseDurationSeconds', spec.leaseDurationSeconds, 1)
    errors.integer('spec.leaseTransitions', spec.leaseTransitions)
  },
})
