import { KeelsonError } from '../base/index.ts'
import type { Context } from './context.ts'

/** What must hold before anything is touched; the first failure is one line that says what to do. */
export function requireRoot({ isRoot }: Context): void {
  if (isRoot) return
  throw new KeelsonError(
    'PERMISSION_DENIED',
    'this needs root: namespaces, cgroups and mounts are made for real',
    {
      hint: 'run it with sudo',
    },
  )
}
