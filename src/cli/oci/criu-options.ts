import { resolve } from 'node:path'
import { KeelsonError } from '../../base/index.ts'
import { type CgroupsMode, type CriuOptions, cgroupsModes } from '../../oci/criu/options.ts'
import type { OptionValues } from '../command.ts'

/** Options that `checkpoint` and `restore` share. */
export const criuOptions = {
  'image-path': {
    type: 'string',
    value: 'DIR',
    help: 'where the images lie; default: checkpoint in the current directory',
  },
  'work-path': {
    type: 'string',
    value: 'DIR',
    help: 'where criu writes its logs; default: beside the images',
  },
  'tcp-established': { type: 'boolean', help: 'also with open TCP connections' },
  'ext-unix-sk': { type: 'boolean', help: 'also with unix sockets whose other end is outside' },
  'shell-job': { type: 'boolean', help: 'also with the terminal of a shell' },
  'lazy-pages': { type: 'boolean', help: 'memory is fetched when it is needed' },
  'file-locks': { type: 'boolean', help: 'also with locked files' },
  'manage-cgroups-mode': {
    type: 'string',
    value: 'soft|full|strict|ignore',
    help: 'what becomes of the cgroups’ settings; default: soft',
  },
  'empty-ns': { type: 'string', value: 'network', help: 'make that namespace and leave it empty' },
  'auto-dedup': { type: 'boolean', help: 'drop from the images what is there twice' },
} as const

/** criu looks into and makes processes of others. */
export function requireRoot(): void {
  if (process.geteuid?.() === 0) return
  throw new KeelsonError('PERMISSION_DENIED', `needs root, not uid ${process.geteuid?.()}`, {
    hint: 'run it with sudo',
  })
}

export type CriuGiven = OptionValues<typeof criuOptions>

export function criuOptionsOf(given: CriuGiven): CriuOptions {
  const work = given['work-path']
  const mode = given['manage-cgroups-mode'] ?? 'soft'
  const empty = given['empty-ns']
  if (!isMode(mode))
    throw new KeelsonError('INVALID_ARGUMENT', `unknown --manage-cgroups-mode ${JSON.stringify(mode)}`, {
      hint: `use one of ${cgroupsModes.join(', ')}`,
    })
  if (empty !== undefined && empty !== 'network')
    throw new KeelsonError('INVALID_ARGUMENT', `unknown --empty-ns ${JSON.stringify(empty)}`, {
      hint: 'use network',
    })
  return {
    imagePath: resolve(given['image-path'] ?? 'checkpoint'),
    ...(work === undefined ? {} : { workPath: resolve(work) }),
    tcpEstablished: given['tcp-established'] === true,
    externalUnixSockets: given['ext-unix-sk'] === true,
    shellJob: given['shell-job'] === true,
    lazyPages: given['lazy-pages'] === true,
    fileLocks: given['file-locks'] === true,
    autoDedup: given['auto-dedup'] === true,
    manageCgroups: mode,
    ...(empty === undefined ? {} : { emptyNamespace: empty }),
  }
}

const isMode = (word: string): word is CgroupsMode => (cgroupsModes as readonly string[]).includes(word)
