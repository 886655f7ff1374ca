import { hostIdOf } from '../id-mappings.ts'
import type { Operation } from '../plan/operations.ts'
import type { NamespacePlan } from './namespaces.ts'
import type { CompileRequest } from './request.ts'

/**
 * What keelson-init does for a container in a user namespace, which has no rights outside of it: its pipes get its
 * user as owner, and its limits may go as high as the starter's right to raise them allows.
 */
export function onBehalf(
  { spec, privileges }: CompileRequest,
  { user }: NamespacePlan,
  [stdin, stdout, stderr]: readonly [number, number, number],
  child: readonly Operation[],
): Operation[] {
  if (user === 'none' || !privileges.isRoot) return []
  const owner = hostIdOf(spec.linux?.uidMappings ?? [], spec.process?.user?.uid ?? 0)
  return [
    ...(owner === undefined ? [] : [{ op: 'giveStdio', stdin, stdout, stderr, uid: owner } as const]),
    ...raisedLimits(child),
  ]
}

export function raisedLimits(child: readonly Operation[]): Operation[] {
  return child.flatMap((one): Operation[] =>
    one.op === 'setRlimit' ? [{ op: 'raiseLimit', resource: one.resource, hard: one.hard }] : [],
  )
}
