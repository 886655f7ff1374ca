import { KeelsonError } from '../../base/index.ts'
import { fileRights, type LandlockPolicy, type Rights, rightsMask } from '../landlock.ts'
import type { Operation } from '../plan/operations.ts'

export interface CompiledLandlock {
  /** While paths can be opened as root, before the program's identity. */
  prepare: Operation[]
  /** With everything that has to happen at the very end: it holds from then on. */
  enforce: Operation[]
  /** What was left out, for the log. */
  notices: string[]
}

const nothing: CompiledLandlock = { prepare: [], enforce: [], notices: [] }

/** FAILED_PRECONDITION, with the path of the list, for what this kernel cannot do when best effort is not wanted. */
export function compileLandlock(policy: LandlockPolicy | undefined, abi: number): CompiledLandlock {
  if (!policy) return nothing
  const { handled, paths, ports, bestEffort } = policy
  const files = rightsMask(handled.files, 'files', abi)
  const tcp = rightsMask(handled.ports, 'ports', abi)
  const scopes = rightsMask(handled.scopes, 'scopes', abi)
  const notices = [
    ...tooOld(handled.files, files.missing, abi, bestEffort),
    ...tooOld(handled.ports, tcp.missing, abi, bestEffort),
    ...tooOld(handled.scopes, scopes.missing, abi, bestEffort),
  ]
  if (files.bits === 0n && tcp.bits === 0n && scopes.bits === 0n) return { ...nothing, notices }
  const onFile = rightsMask(fileRights, 'files', abi).bits
  return {
    prepare: [
      { op: 'makeRuleset', files: files.bits, ports: tcp.bits, scope: scopes.bits },
      ...paths.flatMap(({ path, allowed }): Operation[] => {
        const { bits } = rightsMask(allowed, 'files', abi)
        const flags = bestEffort ? 0 : 1
        return bits === 0n ? [] : [{ op: 'allowPath', path, onDirectory: bits, onFile: bits & onFile, flags }]
      }),
      ...ports.flatMap(({ port, allowed }): Operation[] => {
        const { bits } = rightsMask(allowed, 'ports', abi)
        return bits === 0n ? [] : [{ op: 'allowPort', rights: bits, port: BigInt(port) }]
      }),
    ],
    enforce: [{ op: 'restrictSelf' }],
    notices,
  }
}

function tooOld({ at }: Rights, missing: readonly string[], abi: number, bestEffort: boolean): string[] {
  if (missing.length === 0) return []
  const kernel = abi === 0 ? 'this kernel has no Landlock' : `this kernel’s Landlock is version ${abi}`
  const notice = `${at}: ${kernel}, without ${missing.join(', ')}`
  if (bestEffort) return [notice]
  throw new KeelsonError('FAILED_PRECONDITION', notice, {
    path: at,
    hint: 'leave them out, or do not disable best effort',
  })
}
