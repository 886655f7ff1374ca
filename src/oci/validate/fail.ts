import { KeelsonError } from '../../base/index.ts'

/** INVALID_ARGUMENT at a JSON path, with a sentence that says what to write instead. */
export function fail(path: string, message: string, hint: string): never {
  throw new KeelsonError('INVALID_ARGUMENT', `${path}: ${message}`, { path, hint })
}
