import { existsSync } from 'node:fs'
import { KeelsonError } from '../../base/index.ts'
import type { LinuxResources } from '../../oci/index.ts'
import { validateResources } from '../../oci/validate.ts'
import { command } from '../oci/context.ts'
import { sizeBytes, wholeNumber } from '../oci/go-values.ts'
import { readJson } from '../oci/read-json.ts'

const number = (help: string) => ({ type: 'string', value: 'N', help }) as const
const size = (help: string) => ({ type: 'string', value: 'BYTES', help }) as const
const text = (value: string, help: string) => ({ type: 'string', value, help }) as const

export default command({
  name: 'update',
  summary: 'change limits of a running container; what is not named stays',
  args: ['container'],
  options: {
    resources: {
      type: 'string',
      short: 'r',
      value: 'FILE',
      help: 'linux.resources as JSON, - for standard input; other options are ignored then',
    },
    'blkio-weight': number('weight of its block I/O, 10 to 1000'),
    'cpu-period': number('length of a CFS period in microseconds'),
    'cpu-quota': number('CPU time in one period, in microseconds'),
    'cpu-burst': number('CPU time saved up for later, in microseconds'),
    'cpu-share': number('weight of its CPU time, 2 to 262144'),
    'cpu-rt-period': number('length of a realtime period in microseconds'),
    'cpu-rt-runtime': number('realtime CPU time in one period, in microseconds'),
    'cpuset-cpus': text('LIST', 'CPUs it may run on, such as 0-3,7'),
    'cpuset-mems': text('LIST', 'memory nodes it may use'),
    'cpu-idle': number('1: run only when nobody else wants to'),
    memory: size('memory limit; -1 for none'),
    'memory-reservation': size('memory kept back for it under pressure'),
    'memory-swap': size('limit of memory and swap together; -1 for none'),
    'kernel-memory': size('ignored'),
    'kernel-memory-tcp': size('ignored'),
    'pids-limit': number('most processes; -1 for no limit'),
    'l3-cache-schema': text('SCHEMA', 'Intel RDT: share of the L3 cache'),
    'mem-bw-schema': text('SCHEMA', 'Intel RDT: share of the memory bandwidth'),
  },
  async run({ runtime, log }, { container, resources, ...given }) {
    const found = await (await runtime()).get(container)
    for (const name of ['kernel-memory', 'kernel-memory-tcp'] as const)
      if (given[name] !== undefined) log.warn(`--${name} is ignored: kernels have no such limit any more`)
    refuseRdt(given)
    await found.update(
      validateResources(resources === undefined ? fromOptions(given) : readJson(resources), ''),
    )
  },
})

type Given = Readonly<Record<string, string | undefined>>

/** Only what was given; runc reads 0 and an empty list as "leave it". */
function fromOptions(given: Given): LinuxResources {
  const read = (option: string, parse: (text: string, option: string) => number) => {
    const value = given[option]
    return value === undefined || value === '' ? undefined : parse(value, option)
  }
  const whole = (option: string) => read(option, wholeNumber)
  return {
    ...group('cpu', {
      period: whole('cpu-period'),
      quota: whole('cpu-quota'),
      burst: whole('cpu-burst'),
      shares: whole('cpu-share'),
      realtimePeriod: whole('cpu-rt-period'),
      realtimeRuntime: whole('cpu-rt-runtime'),
      idle: whole('cpu-idle'),
      cpus: given['cpuset-cpus'] || undefined,
      mems: given['cpuset-mems'] || undefined,
    }),
    ...group('memory', {
      limit: read('memory', sizeBytes),
      reservation: read('memory-reservation', sizeBytes),
      swap: read('memory-swap', sizeBytes),
    }),
    ...group('pids', { limit: whole('pids-limit') || undefined }),
    ...group('blockIO', { weight: whole('blkio-weight') || undefined }),
  }
}

function group<Name extends string>(name: Name, fields: Record<string, number | string | undefined>) {
  const present = Object.entries(fields).filter(([, value]) => value !== undefined)
  return (present.length > 0 ? { [name]: Object.fromEntries(present) } : {}) as Record<Name, object>
}

/** In the words of runc, which callers may look for. */
function refuseRdt(given: Given): void {
  const asked = (['l3-cache-schema', 'mem-bw-schema'] as const).find((name) => given[name])
  if (asked === undefined) return
  const kind = asked === 'l3-cache-schema' ? 'CAT: l3 cache' : 'MBA: memory bandwidth'
  if (existsSync('/sys/fs/resctrl/schemata'))
    throw new KeelsonError('UNIMPLEMENTED', `--${asked}: changing it in a running container is not supported`)
  throw new KeelsonError('FAILED_PRECONDITION', `Intel RDT/${kind} schema is not enabled`, {
    hint: 'mount resctrl on /sys/fs/resctrl, on a CPU that has it',
  })
}
