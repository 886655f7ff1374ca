import { labelKeyProblem, labelValueProblem, type NameRule, nameProblem } from '../../../api/index.ts'
import type { FieldErrors } from './field-errors.ts'

export type { NameRule }

export function checkName(errors: FieldErrors, field: string, name: string, rule: NameRule): void {
  const problem = nameProblem(name, rule)
  if (problem !== undefined) errors.invalid(field, name, problem)
}

/** `name` or `prefix/name`, as label keys, annotation keys, finalizers and resource names are written. */
export function checkQualifiedName(errors: FieldErrors, field: string, key: string): void {
  const problem = labelKeyProblem(key)
  if (problem !== undefined) errors.invalid(field, key, problem)
}

export function checkLabels(
  errors: FieldErrors,
  field: string,
  labels: Readonly<Record<string, string>> | undefined,
): void {
  for (const [key, value] of Object.entries(labels ?? {})) {
    checkQualifiedName(errors, field, key)
    const problem = labelValueProblem(value)
    if (problem !== undefined) errors.invalid(field, value, problem)
  }
}

/** A key of a ConfigMap or Secret: also a file name. */
export function checkConfigKey(errors: FieldErrors, field: string, key: string): void {
  if (key.length > 253) errors.invalid(field, key, 'must be no more than 253 characters')
  else if (!/^[-._a-zA-Z0-9]+$/.test(key) || key === '.' || key.startsWith('..')) {
    errors.invalid(
      field,
      key,
      "must be letters, digits, '-', '_' and '.', and neither '.' nor begin with '..'",
    )
  }
}

export function checkPortName(errors: FieldErrors, field: string, name: string): void {
  if (name.length > 15) errors.invalid(field, name, 'must be no more than 15 characters')
  else if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name) || !/[a-z]/.test(name) || name.includes('--')) {
    errors.invalid(field, name, "must be lower case letters, digits and single '-', with at least one letter")
  }
}
