import { type Deployment, resources } from '../../../api/index.ts'
import type { FieldErrors } from './field-errors.ts'
import { setPodSpecDefaults } from './pod-defaults.ts'
import { strategy } from './strategy.ts'
import { validateWorkload } from './workload.ts'

export const deployments = strategy(resources.deployments, {
  countsGenerations: true,
  setDefaults: ({ spec }) => {
    spec.replicas ??= 1
    spec.revisionHistoryLimit ??= 10
    spec.progressDeadlineSeconds ??= 600
    spec.strategy ??= {}
    spec.strategy.type ??= 'RollingUpdate'
    if (spec.strategy.type === 'RollingUpdate') {
      spec.strategy.rollingUpdate = { maxSurge: '25%', maxUnavailable: '25%', ...spec.strategy.rollingUpdate }
    }
    if (spec.template.spec) setPodSpecDefaults(spec.template.spec)
  },
  validate(deployment, errors) {
    validateWorkload(deployment.spec, errors)
    validateRollout(deployment.spec, errors)
  },
  validateUpdate: ({ spec }, before, errors) =>
    errors.immutable('spec.selector', spec.selector, before.spec.selector),
})

function validateRollout(spec: Deployment['spec'], errors: FieldErrors): void {
  errors.integer('spec.revisionHistoryLimit', spec.revisionHistoryLimit)
  errors.integer('spec.progressDeadlineSeconds', spec.progressDeadlineSeconds)
  const { progressDeadlineSeconds: deadline, minReadySeconds = 0 } = spec
  if (deadline !== undefined && deadline <= minReadySeconds) {
    errors.invalid('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds')
  }
  const { type, rollingUpdate } = spec.strategy ?? {}
  errors.oneOf('spec.strategy.type', type, ['Recreate', 'RollingUpdate'])
  if (type === 'Recreate' && rollingUpdate) {
    errors.forbidden('spec.strategy.rollingUpdate', "may not be specified when strategy `type` is 'Recreate'")
  }
  if (type !== 'RollingUpdate') return
  checkIntOrPercent('spec.strategy.rollingUpdate.maxUnavailable', rollingUpdate?.maxUnavailable, errors)
  checkIntOrPercent('spec.strategy.rollingUpdate.maxSurge', rollingUpdate?.maxSurge, errors)
  if (isZero(rollingUpdate?.maxUnavailable) && isZero(rollingUpdate?.maxSurge)) {
    errors.invalid(
      'spec.strategy.rollingUpdate.maxUnavailable',
      rollingUpdate?.maxUnavailable,
      'may not be 0 when `maxSurge` is 0',
    )
  }
}

function checkIntOrPercent(field: string, value: number | string | undefined, errors: FieldErrors): void {
  if (typeof value === 'number') errors.integer(field, value)
  else if (value !== undefined && !/^\d+%$/.test(value))
    errors.invalid(field, value, "a valid percent string must be a numeric string followed by an ending '%'")
}

function isZero(value: number | string | undefined): boolean {
  return value === 0 || value === '0' || value === '0%'
}
