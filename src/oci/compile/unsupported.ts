import { KeelsonError } from '../../base/index.ts'
import type { Process, Spec } from '../spec.ts'

export function unsupported(what: string, path: string): KeelsonError {
  return new KeelsonError('UNIMPLEMENTED', `${what} is not supported yet (${path})`, { path })
}

/**
 * What a specification may ask for and we cannot do yet is refused with its JSON path: a container without the
 * confinement or the scheduling that was asked for would be worse than none.
 */
export function refuseUnsupported({ linux = {} }: Spec): void {
  if (linux.intelRdt) throw unsupported('Intel RDT', 'linux.intelRdt')
  if (linux.mountLabel) throw unsupported('an SELinux mount label', 'linux.mountLabel')
  if (Object.keys(linux.netDevices ?? {}).length > 0)
    throw unsupported('moving a network device', 'linux.netDevices')
  if (linux.memoryPolicy) throw unsupported('a memory policy', 'linux.memoryPolicy')
  const { domain, flags } = linux.personality ?? {}
  if ((domain !== undefined && domain !== 'LINUX') || flags?.length)
    throw unsupported(`personality ${domain}`, 'linux.personality')
}

/** The same for a program, of a container or of an exec. */
export function refuseUnsupportedProcess(process: Process): void {
  const { apparmorProfile = 'unconfined' } = process
  if (apparmorProfile !== '' && apparmorProfile !== 'unconfined')
    throw unsupported(`AppArmor profile ${apparmorProfile}`, 'process.apparmorProfile')
  if (process.selinuxLabel) throw unsupported('an SELinux label', 'process.selinuxLabel')
  if (process.scheduler) throw unsupported('a scheduling policy', 'process.scheduler')
  if (process.ioPriority) throw unsupported('an I/O priority', 'process.ioPriority')
  const { initial, final } = process.execCPUAffinity ?? {}
  if (initial || final) throw unsupported('a CPU affinity of execs', 'process.execCPUAffinity')
}
