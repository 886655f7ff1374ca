import { KeelsonError } from '../../base/index.ts'
import { callerOf } from './caller.ts'

/** Descriptors from 3 on that go into the container, and what tells its program of them. */
export interface Activation {
  count: number
  environment: readonly string[]
}

/**
 * Sockets that a manager opened for the program (sd_listen_fds(3)), where it meant them for this process; in front of
 * what `--preserve-fds` hands through, as runc has it. The program is the first process of its pid namespace.
 */
export function activationOf(
  { LISTEN_FDS: count = '', LISTEN_PID: pid, LISTEN_FDNAMES: names }: NodeJS.ProcessEnv,
  ownPid: number,
): Activation {
  if (!/^[1-9]\d{0,3}$/.test(count) || pid !== String(ownPid)) return { count: 0, environment: [] }
  const named = names === undefined ? [] : [`LISTEN_FDNAMES=${names}`]
  return { count: Number(count), environment: [`LISTEN_FDS=${count}`, 'LISTEN_PID=1', ...named] }
}

/**
 * Refuses to hand through what the caller did not open: it would be a descriptor of ours. How many are the caller's only
 * the native front can tell; without it nobody knows, and everything is believed.
 */
export function requireInherited(count: number, env: NodeJS.ProcessEnv): void {
  const known = callerOf(env)
  if (known === undefined || count <= known.descriptors) return
  throw new KeelsonError(
    'INVALID_ARGUMENT',
    `please check that preserved-fd ${known.descriptors + 1} (of ${count}) is present`,
    { hint: `open descriptors 3 to ${2 + count} before keelson-oci is started, or preserve fewer` },
  )
}
