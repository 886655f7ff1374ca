import { ranges, type Shape } from './validate/shape.ts'

/** config.json as runtime-spec 1.3 has it (its schema files, and the ranges that config.md tells in words). */
const { u16, u32, i32, u64, i64 } = ranges
const strings: Shape = { list: 'string' }
/** -1 is written for infinity as well. */
const rlimit: Shape = { range: [-1, 2 ** 64] }
const cpuList: Shape = { pattern: /^[\d, -]*$/, means: 'a list such as 0-3,7' }

const idMappings: Shape = {
  list: {
    fields: { containerID: u32, hostID: u32, size: u32 },
    required: ['containerID', 'hostID', 'size'],
  },
}

const scheduler: Shape = {
  fields: {
    policy: {
      words: [
        ...['SCHED_OTHER', 'SCHED_FIFO', 'SCHED_RR', 'SCHED_BATCH'],
        ...['SCHED_ISO', 'SCHED_IDLE', 'SCHED_DEADLINE'],
      ],
    },
    nice: { range: [-20, 19] },
    priority: i32,
    flags: {
      list: {
        words: [
          ...['SCHED_FLAG_RESET_ON_FORK', 'SCHED_FLAG_RECLAIM', 'SCHED_FLAG_DL_OVERRUN'],
          ...['SCHED_FLAG_KEEP_POLICY', 'SCHED_FLAG_KEEP_PARAMS'],
          ...['SCHED_FLAG_UTIL_CLAMP_MIN', 'SCHED_FLAG_UTIL_CLAMP_MAX'],
        ],
      },
    },
    runtime: u64,
    deadline: u64,
    period: u64,
  },
  required: ['policy'],
}

export const processShape: Shape = {
  fields: {
    terminal: 'boolean',
    consoleSize: { fields: { height: u16, width: u16 }, required: ['height', 'width'] },
    cwd: 'string',
    env: strings,
    args: strings,
    commandLine: 'string',
    user: {
      fields: { uid: 'integer', gid: 'integer', umask: 'integer', additionalGids: { list: 'integer' } },
    },
    capabilities: {
      fields: {
        bounding: strings,
        effective: strings,
        inheritable: strings,
        permitted: strings,
        ambient: strings,
      },
    },
    rlimits: {
      list: {
        fields: { type: 'string', soft: rlimit, hard: rlimit },
        required: ['type', 'soft', 'hard'],
      },
    },
    noNewPrivileges: 'boolean',
    apparmorProfile: 'string',
    selinuxLabel: 'string',
    oomScoreAdj: { range: [-1000, 1000] },
    ioPriority: {
      fields: {
        class: { words: ['IOPRIO_CLASS_RT', 'IOPRIO_CLASS_BE', 'IOPRIO_CLASS_IDLE'] },
        priority: { range: [0, 7] },
      },
      required: ['class'],
    },
    scheduler,
    execCPUAffinity: { fields: { initial: cpuList, final: cpuList } },
  },
  required: ['cwd'],
}

const hooks: Shape = {
  list: { fields: { path: 'string', args: strings, env: strings, timeout: i32 }, required: ['path'] },
}

/** It becomes part of a file name. */
const pageSize: Shape = { pattern: /^[1-9]\d*[KMG]B$/, means: 'a size such as 2MB' }

const throttle: Shape = {
  list: {
    fields: { major: i64, minor: i64, rate: u64 },
    required: ['major', 'minor', 'rate'],
  },
}

const blockIO: Shape = {
  fields: {
    weight: u16,
    leafWeight: u16,
    weightDevice: {
      list: {
        fields: { major: i64, minor: i64, weight: u16, leafWeight: u16 },
        required: ['major', 'minor'],
      },
    },
    throttleReadBpsDevice: throttle,
    throttleWriteBpsDevice: throttle,
    throttleReadIOPSDevice: throttle,
    throttleWriteIOPSDevice: throttle,
  },
}

const resources: Shape = {
  fields: {
    devices: {
      list: {
        fields: {
          allow: 'boolean',
          type: { words: ['a', 'c', 'b', 'u', 'p', ''] },
          major: i64,
          minor: i64,
          access: 'string',
        },
        required: ['allow'],
      },
    },
    memory: {
      fields: {
        limit: i64,
        reservation: i64,
        swap: i64,
        kernel: i64,
        kernelTCP: i64,
        swappiness: { range: [0, 100] },
        disableOOMKiller: 'boolean',
        useHierarchy: 'boolean',
        checkBeforeUpdate: 'boolean',
      },
    },
    cpu: {
      fields: {
        shares: u64,
        quota: i64,
        burst: u64,
        period: u64,
        realtimeRuntime: i64,
        realtimePeriod: u64,
        cpus: 'string',
        mems: 'string',
        idle: i64,
      },
    },
    pids: { fields: { limit: i64 } },
    blockIO,
    hugepageLimits: {
      list: { fields: { pageSize, limit: u64 }, required: ['pageSize', 'limit'] },
    },
    network: {
      fields: {
        classID: u32,
        priorities: {
          list: { fields: { name: 'string', priority: u32 }, required: ['name', 'priority'] },
        },
      },
    },
    rdma: { map: { fields: { hcaHandles: u32, hcaObjects: u32 } } },
    unified: { map: 'string' },
  },
}

const seccomp: Shape = {
  fields: {
    defaultAction: 'string',
    defaultErrnoRet: u32,
    architectures: strings,
    flags: strings,
    listenerPath: 'string',
    listenerMetadata: 'string',
    syscalls: {
      list: {
        fields: {
          names: strings,
          action: 'string',
          errnoRet: u32,
          args: {
            list: {
              fields: { index: u32, value: 'bits64', valueTwo: 'bits64', op: 'string' },
              required: ['index', 'value', 'op'],
            },
          },
        },
        required: ['names', 'action'],
      },
    },
  },
  required: ['defaultAction'],
}

const device: Shape = {
  fields: {
    path: 'string',
    type: { words: ['c', 'b', 'u', 'p'] },
    major: i64,
    minor: i64,
    fileMode: u32,
    uid: u32,
    gid: u32,
  },
  required: ['path', 'type'],
}

const memoryPolicy: Shape = {
  fields: {
    mode: {
      words: [
        ...['MPOL_DEFAULT', 'MPOL_BIND', 'MPOL_INTERLEAVE', 'MPOL_WEIGHTED_INTERLEAVE'],
        ...['MPOL_PREFERRED', 'MPOL_PREFERRED_MANY', 'MPOL_LOCAL'],
      ],
    },
    nodes: cpuList,
    flags: {
      list: { words: ['MPOL_F_NUMA_BALANCING', 'MPOL_F_RELATIVE_NODES', 'MPOL_F_STATIC_NODES'] },
    },
  },
  required: ['mode'],
}

const namespaceType: Shape = {
  words: ['pid', 'network', 'ipc', 'uts', 'mount', 'user', 'cgroup', 'time'],
}

const linux: Shape = {
  fields: {
    uidMappings: idMappings,
    gidMappings: idMappings,
    timeOffsets: { map: { fields: { secs: i64, nanosecs: u32 } } },
    sysctl: { map: 'string' },
    resources,
    cgroupsPath: 'string',
    namespaces: { list: { fields: { type: namespaceType, path: 'string' }, required: ['type'] } },
    devices: { list: device },
    netDevices: { map: { fields: { name: 'string' } } },
    seccomp,
    rootfsPropagation: 'string',
    maskedPaths: strings,
    readonlyPaths: strings,
    mountLabel: 'string',
    intelRdt: {
      fields: {
        closID: 'string',
        schemata: strings,
        l3CacheSchema: 'string',
        memBwSchema: 'string',
        enableMonitoring: 'boolean',
        enableCMT: 'boolean',
        enableMBM: 'boolean',
      },
    },
    memoryPolicy,
    personality: {
      fields: { domain: { words: ['LINUX', 'LINUX32'] }, flags: strings },
      required: ['domain'],
    },
  },
}

export const resourcesShape = resources

export const mountsShape: Shape = {
  list: {
    fields: {
      destination: 'string',
      type: 'string',
      source: 'string',
      options: strings,
      uidMappings: idMappings,
      gidMappings: idMappings,
    },
    required: ['destination'],
  },
}

export const specShape: Shape = {
  fields: {
    ociVersion: 'string',
    process: processShape,
    root: { fields: { path: 'string', readonly: 'boolean' }, required: ['path'] },
    hostname: 'string',
    domainname: 'string',
    mounts: mountsShape,
    hooks: {
      fields: {
        prestart: hooks,
        createRuntime: hooks,
        createContainer: hooks,
        startContainer: hooks,
        poststart: hooks,
        poststop: hooks,
      },
    },
    annotations: { map: 'string' },
    linux,
  },
  required: ['ociVersion'],
}
