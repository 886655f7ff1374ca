import { type LabelSelector, matchesLabels, type PodTemplateSpec, selectorOf } from '../../../api/index.ts'
import { KeelsonError } from '../../../base/index.ts'
import type { FieldErrors } from './field-errors.ts'
import { checkLabels } from './names.ts'
import { validatePodSpec } from './pod-validation.ts'

interface Workload {
  replicas?: number | undefined
  minReadySeconds?: number | undefined
  selector: LabelSelector
  template?: PodTemplateSpec | undefined
}

/** What Deployments and ReplicaSets have in common: a selector, and a template that it matches. */
export function validateWorkload(spec: Workload, errors: FieldErrors): void {
  errors.integer('spec.replicas', spec.replicas)
  errors.integer('spec.minReadySeconds', spec.minReadySeconds)
  validateSelector(spec, errors)
  validateTemplate(spec.template, errors)
}

function validateTemplate(template: PodTemplateSpec | undefined, errors: FieldErrors): void {
  const path = 'spec.template.spec'
  checkLabels(errors, 'spec.template.metadata.labels', template?.metadata?.labels)
  if (!template?.spec) {
    errors.required(template ? path : 'spec.template')
    return
  }
  validatePodSpec(template.spec, path, errors)
  errors.oneOf(`${path}.restartPolicy`, template.spec.restartPolicy, ['Always'])
}

function validateSelector({ selector, template }: Workload, errors: FieldErrors): void {
  const { matchLabels = {}, matchExpressions = [] } = selector
  if (Object.keys(matchLabels).length === 0 && matchExpressions.length === 0) {
    errors.required('spec.selector')
    errors.invalid('spec.selector', selector, 'empty selector is invalid for deployment')
    return
  }
  checkLabels(errors, 'spec.selector.matchLabels', matchLabels)
  const labels = template?.metadata?.labels ?? {}
  try {
    if (matchesLabels(selectorOf(selector), labels)) return
    errors.invalid('spec.template.metadata.labels', labels, '`selector` does not match template `labels`')
  } catch (error) {
    if (!(error instanceof KeelsonError)) throw error
    errors.invalid('spec.selector', selector, error.message)
  }
}
