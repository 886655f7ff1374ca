import { defaultSpec } from '../../src/oci/default-spec.ts'
import type { Spec } from '../../src/oci/spec.ts'

/** Configurations that are right, between them with every field of runtime-spec 1.3 that is for Linux. */
export function goodSpecs(): Spec[] {
  return [defaultSpec(), defaultSpec({ rootless: { uid: 1000, gid: 1000 } }), engineSpec(), fullSpec()]
}

/** As container engines write it. */
function engineSpec(): Spec {
  const spec = defaultSpec()
  const { process = { cwd: '/' }, linux = {}, mounts = [] } = spec
  return {
    ...spec,
    process: {
      ...process,
      terminal: false,
      args: ['/entrypoint.sh', 'nginx', '-g', 'daemon off;'],
      user: { uid: 33, gid: 33, umask: 18, additionalGids: [33, 100] },
      oomScoreAdj: 200,
      apparmorProfile: '',
      selinuxLabel: '',
    },
    hostname: '3f4e5d6c7b8a',
    mounts: [
      ...mounts,
      {
        destination: '/etc/resolv.conf',
        type: 'bind',
        source: '/etc/resolv.conf',
        options: ['rbind', 'rprivate'],
      },
      { destination: '/data', type: 'bind', source: '/srv', options: ['rbind', 'rro', 'rslave'] },
      { destination: '/run', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
    ],
    annotations: { 'org.opencontainers.image.title': 'web' },
    linux: {
      ...linux,
      cgroupsPath: '/engine/3f4e5d6c7b8a',
      sysctl: { 'net.ipv4.ip_unprivileged_port_start': '0', 'kernel.msgmax': '65536' },
      resources: {
        devices: [
          { allow: false, access: 'rwm' },
          { allow: true, type: 'c', major: 1, minor: 5, access: 'rwm' },
        ],
        memory: { limit: 256 << 20, swap: 512 << 20, reservation: 128 << 20, swappiness: 60 },
        cpu: { shares: 512, quota: 50_000, period: 100_000, cpus: '0-1', mems: '0' },
        pids: { limit: 100 },
      },
      seccomp: {
        defaultAction: 'SCMP_ACT_ERRNO',
        defaultErrnoRet: 1,
        architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
        flags: ['SECCOMP_FILTER_FLAG_LOG'],
        syscalls: [
          { names: ['read', 'write', 'execve', 'exit_group'], action: 'SCMP_ACT_ALLOW' },
          {
            names: ['personality'],
            action: 'SCMP_ACT_ALLOW',
            args: [{ index: 0, value: 8, valueTwo: 0, op: 'SCMP_CMP_EQ' }],
          },
          {
            names: ['clone'],
            action: 'SCMP_ACT_ALLOW',
            args: [{ index: 0, value: 2114060288, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
          },
        ],
      },
      rootfsPropagation: 'rslave',
      mountLabel: '',
    },
  }
}

/** What few write. */
function fullSpec(): Spec {
  const spec = defaultSpec()
  const { process = { cwd: '/' }, linux = {} } = spec
  const hook = { path: '/usr/bin/hook', args: ['hook', 'x'], env: ['A=b'], timeout: 5 }
  return {
    ...spec,
    ociVersion: '1.3.0',
    domainname: 'example.org',
    process: {
      ...process,
      consoleSize: { height: 25, width: 80 },
      scheduler: { policy: 'SCHED_FIFO', priority: 5, flags: ['SCHED_FLAG_RESET_ON_FORK'] },
      ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 4 },
      execCPUAffinity: { initial: '0', final: '0-1' },
    },
    hooks: {
      prestart: [hook],
      createRuntime: [hook],
      createContainer: [hook],
      startContainer: [hook],
      poststart: [hook],
      poststop: [hook],
    },
    linux: {
      ...linux,
      namespaces: [...(linux.namespaces ?? []), { type: 'user' }, { type: 'time' }],
      uidMappings: [{ containerID: 0, hostID: 100_000, size: 65_536 }],
      gidMappings: [{ containerID: 0, hostID: 100_000, size: 65_536 }],
      timeOffsets: { monotonic: { secs: 172_800, nanosecs: 5 }, boottime: { secs: 604_800 } },
      devices: [
        { path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 438, uid: 0, gid: 0 },
        { path: '/dev/pipe', type: 'p' },
      ],
      netDevices: { eth0: { name: 'container_eth0' }, ens4: {} },
      resources: {
        hugepageLimits: [{ pageSize: '2MB', limit: 209_715_200 }],
        network: { classID: 1_048_577, priorities: [{ name: 'eth0', priority: 500 }] },
        rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 10_000 } },
        unified: { 'memory.high': '1000000', 'pids.max': '10' },
        blockIO: {
          weight: 100,
          weightDevice: [{ major: 8, minor: 0, weight: 500 }],
          throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 600 }],
        },
      },
      intelRdt: { closID: 'guaranteed', l3CacheSchema: 'L3:0=7f0;1=1f', memBwSchema: 'MB:0=20;1=70' },
      memoryPolicy: { mode: 'MPOL_INTERLEAVE', nodes: '0-1', flags: ['MPOL_F_STATIC_NODES'] },
      personality: { domain: 'LINUX', flags: [] },
    },
  }
}
