import { KeelsonError } from '../base/index.ts'

/**
 * The JSON shape of config.json as data (runtime-spec schema/*.json), and the check that a parsed file has it.
 * Fields that are not named here are nobody's business: the specification wants them ignored.
 */
export type Shape =
  | 'string'
  | 'boolean'
  | 'integer'
  | 'object'
  | { list: Shape }
  | { map: Shape }
  | { fields: Readonly<Record<string, Shape>>; required?: readonly string[] }

const strings: Shape = { list: 'string' }

const idMappings: Shape = {
  list: {
    fields: { containerID: 'integer', hostID: 'integer', size: 'integer' },
    required: ['containerID', 'hostID', 'size'],
  },
}

export const processShape: Shape = {
  fields: {
    terminal: 'boolean',
    consoleSize: { fields: { height: 'integer', width: 'integer' }, required: ['height', 'width'] },
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
        fields: { type: 'string', soft: 'integer', hard: 'integer' },
        required: ['type', 'soft', 'hard'],
      },
    },
    noNewPrivileges: 'boolean',
    apparmorProfile: 'string',
    selinuxLabel: 'string',
    oomScoreAdj: 'integer',
    ioPriority: { fields: { class: 'string', priority: 'integer' } },
    scheduler: 'object',
    execCPUAffinity: { fields: { initial: 'string', final: 'string' } },
  },
  required: ['cwd'],
}

const hooks: Shape = {
  list: { fields: { path: 'string', args: strings, env: strings, timeout: 'integer' }, required: ['path'] },
}

const resources: Shape = {
  fields: {
    devices: {
      list: {
        fields: { allow: 'boolean', type: 'string', major: 'integer', minor: 'integer', access: 'string' },
        required: ['allow'],
      },
    },
    memory: {
      fields: {
        limit: 'integer',
        reservation: 'integer',
        swap: 'integer',
        kernel: 'integer',
        kernelTCP: 'integer',
        swappiness: 'integer',
        disableOOMKiller: 'boolean',
        useHierarchy: 'boolean',
        checkBeforeUpdate: 'boolean',
      },
    },
    cpu: {
      fields: {
        shares: 'integer',
        quota: 'integer',
        burst: 'integer',
        period: 'integer',
        realtimeRuntime: 'integer',
        realtimePeriod: 'integer',
        cpus: 'string',
        mems: 'string',
        idle: 'integer',
      },
    },
    pids: { fields: { limit: 'integer' } },
    blockIO: 'object',
    hugepageLimits: {
      list: { fields: { pageSize: 'string', limit: 'integer' }, required: ['pageSize', 'limit'] },
    },
    network: {
      fields: {
        classID: 'integer',
        priorities: {
          list: { fields: { name: 'string', priority: 'integer' }, required: ['name', 'priority'] },
        },
      },
    },
    rdma: { map: { fields: { hcaHandles: 'integer', hcaObjects: 'integer' } } },
    unified: { map: 'string' },
  },
}

const seccomp: Shape = {
  fields: {
    defaultAction: 'string',
    defaultErrnoRet: 'integer',
    architectures: strings,
    flags: strings,
    listenerPath: 'string',
    listenerMetadata: 'string',
    syscalls: {
      list: {
        fields: {
          names: strings,
          action: 'string',
          errnoRet: 'integer',
          args: {
            list: {
              fields: { index: 'integer', value: 'integer', valueTwo: 'integer', op: 'string' },
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
    type: 'string',
    major: 'integer',
    minor: 'integer',
    fileMode: 'integer',
    uid: 'integer',
    gid: 'integer',
  },
  required: ['path', 'type'],
}

const linux: Shape = {
  fields: {
    uidMappings: idMappings,
    gidMappings: idMappings,
    timeOffsets: { map: { fields: { secs: 'integer', nanosecs: 'integer' } } },
    sysctl: { map: 'string' },
    resources,
    cgroupsPath: 'string',
    namespaces: { list: { fields: { type: 'string', path: 'string' }, required: ['type'] } },
    devices: { list: device },
    netDevices: { map: { fields: { name: 'string' } } },
    seccomp,
    rootfsPropagation: 'string',
    maskedPaths: strings,
    readonlyPaths: strings,
    mountLabel: 'string',
    intelRdt: 'object',
    memoryPolicy: 'object',
    personality: { fields: { domain: 'string', flags: strings }, required: ['domain'] },
  },
}

export const resourcesShape = resources

export const specShape: Shape = {
  fields: {
    ociVersion: 'string',
    process: processShape,
    root: { fields: { path: 'string', readonly: 'boolean' }, required: ['path'] },
    hostname: 'string',
    domainname: 'string',
    mounts: {
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
    },
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

/**
 * Throws INVALID_ARGUMENT at the first value that does not fit, with its JSON path. `null` counts as absent, since
 * Go programs write it for empty lists; a copy without them is returned.
 */
export function checkShape(value: unknown, shape: Shape, path: string): unknown {
  if (typeof shape === 'string') return checkScalar(value, shape, path)
  if ('list' in shape) {
    if (!Array.isArray(value)) throw wrongType(value, 'a list', path)
    return value.map((item, index) => checkShape(item, shape.list, `${path}[${index}]`))
  }
  if (!isObject(value)) throw wrongType(value, 'an object', path)
  const present = Object.entries(value).filter(([, item]) => item !== null && item !== undefined)
  if ('map' in shape)
    return Object.fromEntries(
      present.map(([key, item]) => [key, checkShape(item, shape.map, `${path}[${JSON.stringify(key)}]`)]),
    )
  const below = (name: string) => (path === '' ? name : `${path}.${name}`)
  for (const name of shape.required ?? [])
    if (!present.some(([key]) => key === name))
      throw new KeelsonError('INVALID_ARGUMENT', `${below(name)} is missing`, {
        path: below(name),
        hint: 'add it',
      })
  return Object.fromEntries(
    present.map(([key, item]) => {
      const field = shape.fields[key]
      return [key, field === undefined ? item : checkShape(item, field, below(key))]
    }),
  )
}

function checkScalar(
  value: unknown,
  shape: 'string' | 'boolean' | 'integer' | 'object',
  path: string,
): unknown {
  if (shape === 'object') {
    if (!isObject(value)) throw wrongType(value, 'an object', path)
  } else if (shape === 'integer') {
    if (typeof value !== 'number' || !Number.isInteger(value)) throw wrongType(value, 'a whole number', path)
  } else if (typeof value !== shape) throw wrongType(value, `a ${shape}`, path)
  // The kernel ends every string at its first NUL: what follows would be dropped without a word.
  if (typeof value === 'string' && value.includes('\0'))
    throw new KeelsonError('INVALID_ARGUMENT', `${path} contains a NUL character`, {
      path,
      hint: 'remove it',
    })
  return value
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function wrongType(value: unknown, wanted: string, path: string): KeelsonError {
  const found = value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value
  const place = path === '' ? 'the configuration' : path
  return new KeelsonError('INVALID_ARGUMENT', `${place} must be ${wanted}, not ${found}`, {
    path: place,
    hint: `write ${wanted}`,
  })
}
