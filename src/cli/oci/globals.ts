import { join } from 'node:path'
import { KeelsonError } from '../../base/index.ts'
import type { Options } from '../command.ts'
import type { LogSettings } from './report.ts'

/** Options before the command's name. */
export const globalOptions = {
  root: {
    type: 'string',
    value: 'DIR',
    help: 'where the state of containers lies; default: /run/keelson-oci',
  },
  log: { type: 'string', value: 'FILE', help: 'append log lines there; default: standard error' },
  'log-format': { type: 'string', value: 'text|json', help: 'default: text' },
  debug: { type: 'boolean', help: 'log more' },
  'systemd-cgroup': { type: 'boolean', help: 'refused: the systemd cgroup driver is not there yet' },
  rootless: { type: 'string', value: 'true|false|auto', help: 'accepted: containers need root' },
  criu: { type: 'string', value: 'PATH', help: 'accepted and not used' },
  help: { type: 'boolean', short: 'h', help: 'print this' },
  version: { type: 'boolean', short: 'v', help: 'print the version' },
} as const satisfies Options

export interface GlobalGiven {
  root?: string
  log?: string
  'log-format'?: string
  debug?: boolean
  'systemd-cgroup'?: boolean
}

/** Where to log is needed before anything can be refused, so a wrong format does not fail here. */
export function logSettings(given: GlobalGiven): LogSettings {
  return {
    ...(given.log === undefined ? {} : { file: given.log }),
    format: given['log-format'] === 'json' ? 'json' : 'text',
    debug: given.debug === true,
  }
}

export function checkGlobals(given: GlobalGiven): void {
  const format = given['log-format'] ?? 'text'
  if (format !== 'json' && format !== 'text')
    throw new KeelsonError('INVALID_ARGUMENT', `unknown --log-format ${JSON.stringify(format)}`, {
      hint: 'use text or json',
    })
  if (given['systemd-cgroup'])
    throw new KeelsonError('UNIMPLEMENTED', 'the systemd cgroup driver is not supported', {
      hint: 'leave --systemd-cgroup out; linux.cgroupsPath is then a path below the cgroup root',
    })
}

/** Like runc: the runtime directory of the user unless root asks. */
export function stateRoot(given: GlobalGiven, env: NodeJS.ProcessEnv, euid: number): string {
  if (given.root !== undefined) return given.root
  const personal = env['XDG_RUNTIME_DIR']
  return euid !== 0 && personal ? join(personal, 'keelson-oci') : '/run/keelson-oci'
}
