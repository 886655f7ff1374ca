import type { KubernetesObject } from '../../../api/index.ts'
import type { FieldErrors } from './field-errors.ts'
import { checkLabels, checkName, checkQualifiedName, type NameRule } from './names.ts'

const annotationsBytesMax = 256 * 1024

/** The rules that hold for the metadata of every kind. */
export function validateMetadata({ metadata }: KubernetesObject, rule: NameRule, errors: FieldErrors): void {
  if (metadata.name === undefined || metadata.name === '')
    errors.required('metadata.name', 'name or generateName is required')
  else checkName(errors, 'metadata.name', metadata.name, rule)
  checkLabels(errors, 'metadata.labels', metadata.labels)
  validateAnnotations(metadata.annotations ?? {}, errors)
  for (const finalizer of metadata.finalizers ?? [])
    checkQualifiedName(errors, 'metadata.finalizers', finalizer)
  validateOwners(metadata.ownerReferences ?? [], errors)
}

export function validateMetadataUpdate(
  { metadata }: KubernetesObject,
  before: KubernetesObject,
  errors: FieldErrors,
): void {
  const was = before.metadata
  if (metadata.uid !== was.uid) errors.invalid('metadata.uid', metadata.uid, 'field is immutable')
  if (was.deletionTimestamp === undefined) return
  const added = (metadata.finalizers ?? []).filter((one) => !was.finalizers?.includes(one))
  if (added.length > 0) {
    errors.forbidden(
      'metadata.finalizers',
      `no new finalizers can be added if the object is being deleted, found new finalizers ${JSON.stringify(added)}`,
    )
  }
}

function validateAnnotations(annotations: Readonly<Record<string, string>>, errors: FieldErrors): void {
  let bytes = 0
  for (const [key, value] of Object.entries(annotations)) {
    checkQualifiedName(errors, 'metadata.annotations', key.toLowerCase())
    bytes += key.length + Buffer.byteLength(value)
  }
  if (bytes > annotationsBytesMax) errors.tooLong('metadata.annotations', annotationsBytesMax)
}

function validateOwners(
  owners: NonNullable<KubernetesObject['metadata']['ownerReferences']>,
  errors: FieldErrors,
): void {
  for (const [i, owner] of owners.entries()) {
    for (const field of ['apiVersion', 'kind', 'name', 'uid'] as const) {
      if (!owner[field])
        errors.invalid(`metadata.ownerReferences[${i}].${field}`, owner[field], 'must not be empty')
    }
  }
  if (owners.filter(({ controller }) => controller).length > 1) {
    errors.invalid('metadata.ownerReferences', owners, 'Only one reference can have Controller set to true')
  }
}
