import { KeelsonError } from '../../base/index.ts'
import type { HostFacts } from '../host-facts.ts'
import type { Operation } from '../plan/operations.ts'
import { shown } from '../shown.ts'
import type { Process } from '../spec.ts'

/** The labels that the program gets when it is run (`/proc/thread-self/attr`). */
export function compileExecLabels(process: Process, host: HostFacts): Operation[] {
  const { apparmorProfile = '', selinuxLabel = '' } = process
  return [...appArmor(apparmorProfile, host), ...seLinux(selinuxLabel, 'exec', host)]
}

function appArmor(profile: string, host: HostFacts): Operation[] {
  if (profile === '') return []
  if (host.appArmor !== undefined)
    return [{ op: 'writeAttribute', name: `${host.appArmor}exec`, value: `exec ${profile}` }]
  if (profile === 'unconfined') return []
  throw absent('process.apparmorProfile', `profile ${shown(profile)} is asked for`, 'AppArmor')
}

function seLinux(label: string, name: string, host: HostFacts): Operation[] {
  if (label === '') return []
  if (host.seLinux) return [{ op: 'writeAttribute', name, value: label }]
  throw absent('process.selinuxLabel', `label ${shown(label)} is asked for`, 'SELinux')
}

/** A keyring is labelled as it is made, by what its maker has set for new keys, which must not stay set. */
export function compileKeyring(name: string, { selinuxLabel = '' }: Process, host: HostFacts): Operation[] {
  const ring: Operation = { op: 'sessionKeyring', name }
  if (selinuxLabel === '') return [ring]
  return [
    ...seLinux(selinuxLabel, 'keycreate', host),
    ring,
    { op: 'writeAttribute', name: 'keycreate', value: '' },
  ]
}

/** `linux.mountLabel` is refused where no file system would take it. */
export function checkMountLabel(label: string | undefined, host: HostFacts): void {
  if (label && !host.seLinux)
    throw absent('linux.mountLabel', `label ${shown(label)} is asked for`, 'SELinux')
}

function absent(path: string, what: string, module: string): KeelsonError {
  return new KeelsonError(
    'FAILED_PRECONDITION',
    `${path}: ${what}, but ${module} is not supported on this host`,
    {
      path,
      hint: `leave it out, or enable ${module}`,
    },
  )
}
