import { type Capabilities, defaultSeccompProfile, type Spec } from '../../src/oci/index.ts'
import { busyboxSpec } from '../../test/support/bundle.ts'

/** What a CRI asks for an ordinary pod container: RuntimeDefault filter, limits, no_new_privs, masked paths. */
export interface RealisticOptions {
  args: string[]
  cgroupsPath: string
  seccomp: boolean
}

export function realisticSpec({ args, cgroupsPath, seccomp }: RealisticOptions): Spec {
  return busyboxSpec(args, (spec) => ({
    ...spec,
    ociVersion: '1.0.2', // crun 1.8 knows no newer one
    process: { cwd: '/', ...spec.process, capabilities: sets(capabilities), noNewPrivileges: true },
    root: { path: 'rootfs', readonly: false },
    linux: {
      ...spec.linux,
      cgroupsPath,
      resources: {
        devices: [{ allow: false, access: 'rwm' }],
        memory: { limit: 64 << 20 },
        cpu: { shares: 256, quota: 50_000, period: 100_000 },
        pids: { limit: 256 },
      },
      ...(seccomp ? { seccomp: defaultSeccompProfile({ capabilities }) } : {}),
    },
  }))
}

const capabilities = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FSETID',
  'FOWNER',
  'MKNOD',
  'SETGID',
  'SETUID',
  'SETFCAP',
  'SETPCAP',
  'NET_BIND_SERVICE',
  'SYS_CHROOT',
  'KILL',
  'AUDIT_WRITE',
].map((name) => `CAP_${name}`)

function sets(names: string[]): Capabilities {
  return { bounding: names, effective: names, permitted: names }
}
