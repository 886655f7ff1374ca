import { type ConfigMap, resources, type Secret } from '../../../api/index.ts'
import type { FieldErrors } from './field-errors.ts'
import { checkConfigKey } from './names.ts'
import { strategy } from './strategy.ts'

const dataBytesMax = 1024 * 1024

export const configMaps = strategy(resources.configmaps, {
  validate({ data = {}, binaryData = {} }, errors) {
    for (const key of Object.keys(data)) {
      checkConfigKey(errors, `data[${key}]`, key)
      if (Object.hasOwn(binaryData, key))
        errors.invalid(`data[${key}]`, key, 'duplicate of key present in binaryData')
    }
    for (const [key, value] of Object.entries(binaryData)) {
      checkConfigKey(errors, `binaryData[${key}]`, key)
      checkBase64(`binaryData[${key}]`, value, errors)
    }
    const bytes = sizeOf(Object.values(data)) + sizeOf(Object.values(binaryData))
    if (bytes > dataBytesMax) errors.tooLong('', dataBytesMax)
  },
  validateUpdate: refuseChangeOfImmutable,
})

const requiredKeys: Record<string, readonly string[]> = {
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
}

export const secrets = strategy(resources.secrets, {
  setDefaults(secret) {
    secret.type ??= 'Opaque'
    for (const [key, value] of Object.entries(secret.stringData ?? {})) {
      secret.data = { ...secret.data, [key]: Buffer.from(value).toString('base64') }
    }
    delete secret.stringData
  },
  validate({ data = {}, type = 'Opaque' }, errors) {
    for (const [key, value] of Object.entries(data)) {
      checkConfigKey(errors, `data[${key}]`, key)
      checkBase64(`data[${key}]`, value, errors)
    }
    if (sizeOf(Object.values(data)) > dataBytesMax * (4 / 3)) errors.tooLong('data', dataBytesMax)
    for (const key of requiredKeys[type] ?? []) if (!Object.hasOwn(data, key)) errors.required(`data[${key}]`)
  },
  validateUpdate(secret, before, errors) {
    errors.immutable('type', secret.type, before.type)
    refuseChangeOfImmutable(secret, before, errors)
  },
  selectableFields: ({ type }) => ({ type: type ?? '' }),
})

function refuseChangeOfImmutable<T extends ConfigMap | Secret>(
  object: T,
  before: T,
  errors: FieldErrors,
): void {
  if (!before.immutable) return
  if (!object.immutable) errors.forbidden('immutable', 'field is immutable when `immutable` is set')
  if (JSON.stringify(object.data) !== JSON.stringify(before.data)) {
    errors.forbidden('data', 'field is immutable when `immutable` is set')
  }
}

function checkBase64(field: string, value: string, errors: FieldErrors): void {
  if (
    !/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(value.replace(/[\r\n]/g, ''))
  ) {
    errors.invalid(field, '<value>', 'must be base64')
  }
}

function sizeOf(values: readonly string[]): number {
  return values.reduce((sum, value) => sum + Buffer.byteLength(value), 0)
}
