import type { FieldError } from '../status.ts'

/** Collects what is wrong with an object, in the words that Kubernetes' clients know. */
export class FieldErrors {
  readonly list: FieldError[] = []

  required(field: string, detail?: string): void {
    this.#add(
      'FieldValueRequired',
      field,
      detail === undefined ? 'Required value' : `Required value: ${detail}`,
    )
  }

  invalid(field: string, value: unknown, detail: string): void {
    this.#add('FieldValueInvalid', field, `Invalid value: ${shown(value)}: ${detail}`)
  }

  duplicate(field: string, value: unknown): void {
    this.#add('FieldValueDuplicate', field, `Duplicate value: ${shown(value)}`)
  }

  forbidden(field: string, detail: string): void {
    this.#add('FieldValueForbidden', field, `Forbidden: ${detail}`)
  }

  notFound(field: string, value: unknown): void {
    this.#add('FieldValueNotFound', field, `Not found: ${shown(value)}`)
  }

  tooLong(field: string, bytesMax: number): void {
    this.#add('FieldValueTooLong', field, `Too long: may not be more than ${bytesMax} bytes`)
  }

  /** Wrong unless absent or one of `supported`. */
  oneOf(field: string, value: string | undefined, supported: readonly string[]): void {
    if (value === undefined || supported.includes(value)) return
    const list = supported.map((one) => JSON.stringify(one)).join(', ')
    this.#add(
      'FieldValueNotSupported',
      field,
      `Unsupported value: ${shown(value)}: supported values: ${list}`,
    )
  }

  /** Wrong unless absent or an integer of at least `min` (and at most `max`). */
  integer(field: string, value: number | undefined, min = 0, max = Number.MAX_SAFE_INTEGER): void {
    if (value === undefined) return
    const detail =
      max === Number.MAX_SAFE_INTEGER
        ? `must be greater than or equal to ${min}`
        : `must be between ${min} and ${max}, inclusive`
    if (!Number.isInteger(value) || value < min || value > max) this.invalid(field, value, detail)
  }

  /** Wrong when a field that may never change did. */
  immutable(field: string, now: unknown, before: unknown): void {
    if (JSON.stringify(now) !== JSON.stringify(before)) this.invalid(field, now, 'field is immutable')
  }

  #add(type: FieldError['type'], field: string, message: string): void {
    this.list.push({ type, field, message })
  }
}

function shown(value: unknown): string {
  return value === undefined ? 'null' : JSON.stringify(value)
}
