/** The cluster's own certificate authority and the certificates it signs, as files in one directory. */
export type { CertificateRequest, TlsIdentity } from './certificate.ts'
export { subjectOf } from './certificate.ts'
export type { Pki, PkiOptions } from './ensure.ts'
export { ensurePki } from './ensure.ts'
