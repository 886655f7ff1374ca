import { StatusError } from '../status.ts'

/** What to do about fields that the schema does not know and keys that occur twice. */
export type FieldValidation = 'Ignore' | 'Warn' | 'Strict'

/** What every writing request carries. */
export interface WriteOptions {
  dryRun: boolean
  fieldValidation: FieldValidation
  /** Takes the text of a `Warning` header. */
  warn: (message: string) => void
}

/** Reads `dryRun` and `fieldValidation`; 400 for values that do not exist. Default validation is Warn. */
export function writeOptionsOf(query: URLSearchParams, warn: (message: string) => void): WriteOptions {
  return { dryRun: dryRunOf(query), fieldValidation: fieldValidationOf(query), warn }
}

function dryRunOf(query: URLSearchParams): boolean {
  const values = query.getAll('dryRun').filter((value) => value !== '')
  const wrong = values.find((value) => value !== 'All')
  if (wrong !== undefined) {
    throw new StatusError(
      'BadRequest',
      `dryRun: Unsupported value: ${JSON.stringify(wrong)}: supported values: "All"`,
    )
  }
  return values.length > 0
}

function fieldValidationOf(query: URLSearchParams): FieldValidation {
  const value = query.get('fieldValidation') || 'Warn'
  if (value === 'Ignore' || value === 'Warn' || value === 'Strict') return value
  throw new StatusError(
    'BadRequest',
    `fieldValidation: Unsupported value: ${JSON.stringify(value)}: supported values: "Ignore", "Strict", "Warn"`,
  )
}
