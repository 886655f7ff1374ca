import { noHole } from '../plan/operations.ts'
import type { Spec } from '../spec.ts'

/** What a hook's state depends on. */
export interface HookSubject {
  id: string
  spec: Spec
  bundle: string
}

/** Bytes for a hook's standard input, with the place where the pid goes, which is known only when it runs. */
export interface HookInput {
  input: Uint8Array
  hole: number
}

/** The state of runtime.md, "State"; the pid is left out of a stopped container's, where it is optional. */
export function stateDocument({ id, spec, bundle }: HookSubject, status: string): HookInput {
  const { ociVersion, annotations } = spec
  const head = JSON.stringify({ ociVersion, id, status })
  const rest = { bundle, ...(annotations ? { annotations } : {}) }
  if (status === 'stopped')
    return { input: Buffer.from(JSON.stringify({ ociVersion, id, status, ...rest })), hole: noHole }
  const before = `${head.slice(0, -1)},"pid":`
  return {
    input: Buffer.from(`${before},${JSON.stringify(rest).slice(1)}`),
    hole: Buffer.byteLength(before),
  }
}
