/** Implements the CRI services of cri/service.ts on this host: one file per verb, state in the ledger, recovery. */

export { usualNamespaces } from './run-pod-sandbox.ts'
export { createPodService, type PodService, type PodServiceOptions } from './service.ts'
