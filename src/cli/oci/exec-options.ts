import { KeelsonError } from '../../base/index.ts'
import type { Capabilities, Process, User } from '../../oci/index.ts'
import type { OptionValues } from '../command.ts'

export const execOptions = {
  'console-socket': {
    type: 'string',
    value: 'SOCKET',
    help: 'unix socket that receives the terminal’s master',
  },
  cwd: { type: 'string', value: 'DIR', help: 'working directory in the container' },
  env: { type: 'strings', short: 'e', value: 'NAME=VALUE', help: 'add to the environment; may be repeated' },
  tty: { type: 'boolean', short: 't', help: 'give it a terminal' },
  user: { type: 'string', short: 'u', value: 'UID[:GID]', help: 'run it as these ids' },
  'additional-gids': {
    type: 'strings',
    short: 'g',
    value: 'GID',
    help: 'add a supplementary group; may be repeated',
  },
  process: { type: 'string', short: 'p', value: 'FILE', help: 'take the whole process from this JSON file' },
  detach: { type: 'boolean', short: 'd', help: 'leave it running' },
  'pid-file': { type: 'string', value: 'FILE', help: 'write its pid there' },
  'process-label': { type: 'string', value: 'LABEL', help: 'SELinux label' },
  apparmor: { type: 'string', value: 'PROFILE', help: 'AppArmor profile' },
  'no-new-privs': { type: 'boolean', help: 'set no_new_privs' },
  cap: { type: 'strings', short: 'c', value: 'CAP_NAME', help: 'add a capability; may be repeated' },
  'pidfd-socket': { type: 'string', value: 'SOCKET', help: 'unix socket that receives its pidfd' },
  'preserve-fds': { type: 'string', value: 'N', help: 'hand through N descriptors after standard error' },
  cgroup: {
    type: 'strings',
    value: '[CONTROLLER:]PATH',
    help: 'run it in this cgroup, which exists below the container’s; may be repeated',
  },
  'dry-run': { type: 'boolean', help: 'print what would be done, step by step, and do nothing' },
  'ignore-paused': { type: 'boolean', help: 'also in a paused container: it runs when that is resumed' },
} as const

export type ExecGiven = OptionValues<typeof execOptions>

/** The container's own process with what the options change: everything not named stays as it was. */
export function processOf(base: Process, given: ExecGiven & { command: string[] }): Process {
  return {
    ...base,
    args: given.command,
    terminal: given.tty === true,
    env: [...(base.env ?? []), ...(given.env ?? [])],
    ...(given.cwd === undefined ? {} : { cwd: given.cwd }),
    user: userOf(base.user ?? { uid: 0, gid: 0 }, given),
    ...(given.cap ? { capabilities: withCapabilities(base.capabilities, given.cap) } : {}),
    ...(given['no-new-privs'] === undefined ? {} : { noNewPrivileges: given['no-new-privs'] }),
    ...(given.apparmor === undefined ? {} : { apparmorProfile: given.apparmor }),
    ...(given['process-label'] === undefined ? {} : { selinuxLabel: given['process-label'] }),
  }
}

/** Decimal ids and nothing else: read loosely, `-u 1` has once meant root (CVE-2026-30892). */
function userOf(base: User, { user, 'additional-gids': groups }: ExecGiven): User {
  const [, uid, gid] = user === undefined ? [] : (/^(\d{1,10})(?::(\d{1,10}))?$/.exec(user) ?? [])
  if (user !== undefined && uid === undefined)
    throw new KeelsonError('INVALID_ARGUMENT', `--user takes UID[:GID], not ${JSON.stringify(user)}`, {
      hint: 'give numbers, such as 1000:1000',
    })
  return {
    ...base,
    ...(uid === undefined ? {} : { uid: Number(uid) }),
    ...(gid === undefined ? {} : { gid: Number(gid) }),
    ...(groups === undefined
      ? {}
      : { additionalGids: [...(base.additionalGids ?? []), ...groups.map(groupId)] }),
  }
}

function groupId(text: string): number {
  if (/^\d{1,10}$/.test(text)) return Number(text)
  throw new KeelsonError('INVALID_ARGUMENT', `--additional-gids takes a number, not ${JSON.stringify(text)}`)
}

/** Not inheritable, and so not ambient: the program's children get none of it by accident (CVE-2022-29162). */
function withCapabilities(base: Process['capabilities'] = {}, added: string[]): Capabilities {
  const both = (names: string[] = []) => [...new Set([...names, ...added])]
  return {
    ...base,
    bounding: both(base.bounding),
    effective: both(base.effective),
    permitted: both(base.permitted),
  }
}
