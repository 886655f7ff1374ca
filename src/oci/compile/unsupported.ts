import { KeelsonError } from '../../base/index.ts'

export function unsupported(what: string, path: string): KeelsonError {
  return new KeelsonError('UNIMPLEMENTED', `${what} is not supported yet (${path})`, { path })
}
