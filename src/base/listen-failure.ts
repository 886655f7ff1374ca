import { asKeelsonError, hasErrno, KeelsonError } from './errors.ts'

export interface ListenPlace {
  address: string
  port: number
  /** Whose place it is, in the reader's words: `the API server`. */
  purpose: string
}

/** Why a server cannot listen where it was told to, in words for the person who chose the place. */
export function listenFailure(error: unknown, { address, port, purpose }: ListenPlace): KeelsonError {
  const place = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
  const details = { op: 'listen', id: place, cause: error }
  if (hasErrno(error, 'EADDRINUSE'))
    return new KeelsonError('ALREADY_EXISTS', `another process listens on ${place} already`, {
      ...details,
      hint: `stop it, or choose another port for ${purpose}`,
    })
  if (hasErrno(error, 'EADDRNOTAVAIL'))
    return new KeelsonError('INVALID_ARGUMENT', `${address} is no address of this machine`, {
      ...details,
      hint: `choose one that it has for ${purpose}, or 0.0.0.0 for all of them`,
    })
  if (hasErrno(error, 'EACCES'))
    return new KeelsonError('PERMISSION_DENIED', `only root may listen on ${place}`, {
      ...details,
      hint: `choose a port above 1023 for ${purpose}`,
    })
  return asKeelsonError(error, details)
}
