import {
  type LinuxContainerSecurityContext,
  SecurityProfile_ProfileType as Type,
} from '../../../cri/types.ts'
import { KeelsonError } from '../../base/index.ts'

export type SeccompChoice = { kind: 'none' } | { kind: 'default' } | { kind: 'file'; path: string }

/** Which profile the caller asked for: by the newer message, else by the older string; nothing asked is unconfined. */
export function seccompChoice(security: LinuxContainerSecurityContext | undefined): SeccompChoice {
  if (!security || security.privileged) return { kind: 'none' }
  const { seccomp, seccompProfilePath } = security
  if (!seccomp) return fromPath(seccompProfilePath)
  if (seccomp.profileType === Type.Localhost) return localhost(seccomp.localhostRef)
  if (seccomp.localhostRef !== '')
    throw invalid('seccomp: localhost_ref is only for a profile of type Localhost')
  return seccomp.profileType === Type.RuntimeDefault ? { kind: 'default' } : { kind: 'none' }
}

function fromPath(path: string): SeccompChoice {
  if (path === '' || path === 'unconfined') return { kind: 'none' }
  if (path === 'runtime/default' || path === 'docker/default') return { kind: 'default' }
  if (path.startsWith('localhost/')) return localhost(path.slice('localhost/'.length))
  throw invalid(`unknown seccomp profile ${path}`)
}

function localhost(path: string): SeccompChoice {
  if (path.startsWith('/')) return { kind: 'file', path }
  throw invalid(`seccomp: localhost_ref ${JSON.stringify(path)} is not an absolute path`)
}

function invalid(message: string): KeelsonError {
  return new KeelsonError('INVALID_ARGUMENT', message)
}
