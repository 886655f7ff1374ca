import {
  type LinuxContainerSecurityContext,
  type SecurityProfile,
  SecurityProfile_ProfileType as Type,
} from '../../../cri/types.ts'
import { KeelsonError } from '../../base/index.ts'

/**
 * The AppArmor profile that a container is confined by: the newer message counts, else the older string. Only a profile
 * that was asked for by name confines: there is no default one of ours, so RuntimeDefault is what Unconfined is. A name
 * on a host that could not enforce it is FAILED_PRECONDITION, for it must not be ignored.
 */
export function appArmorProfile(
  security: LinuxContainerSecurityContext | undefined,
  hostHasAppArmor: boolean,
): string | undefined {
  const { apparmor, apparmorProfile = '' } = security ?? {}
  const profile = apparmor ? fromMessage(apparmor) : fromString(apparmorProfile)
  if (profile === undefined || hostHasAppArmor) return profile
  throw new KeelsonError('FAILED_PRECONDITION', `AppArmor profile ${profile}: this host has no AppArmor`, {
    hint: 'leave the profile out, or run the pod on another node',
  })
}

function fromMessage({ profileType, localhostRef }: SecurityProfile): string | undefined {
  if (profileType === Type.Localhost) return named(localhostRef)
  if (localhostRef === '') return undefined
  throw invalid('AppArmor: localhost_ref is only for a profile of type Localhost')
}

function fromString(text: string): string | undefined {
  if (['', 'unconfined', 'runtime/default'].includes(text)) return undefined
  if (text.startsWith('localhost/')) return named(text.slice('localhost/'.length))
  throw invalid(`unknown AppArmor profile ${text}`)
}

/** Callers write the name with and without the prefix. */
function named(reference: string): string {
  const name = reference.replace(/^localhost\//, '')
  if (name !== '') return name
  throw invalid('AppArmor: a profile of type Localhost needs its name as localhost_ref')
}

function invalid(message: string): KeelsonError {
  return new KeelsonError('INVALID_ARGUMENT', message)
}
