import { join } from 'node:path'
import type { Mount, Spec } from '../spec.ts'
import { recordFiles } from '../state/record.ts'
import type { CompileRequest } from './request.ts'

/** The name of the socket in its directory, which the container sees as `/run/notify`, as runc has it. */
export const notifySocket = 'notify.sock'
const notifyInside = '/run/notify'

/** With what the caller gives the program beyond its specification. */
export function effectiveSpec({ spec, environment = [], notify, directory }: CompileRequest): Spec {
  const added = [...environment, ...(notify ? [`NOTIFY_SOCKET=${join(notifyInside, notifySocket)}`] : [])]
  const { process: program } = spec
  if (!program || added.length === 0) return spec
  const names = added.map((one) => one.slice(0, one.indexOf('=') + 1))
  const kept = (program.env ?? []).filter((one) => !names.some((name) => one.startsWith(name)))
  const mounts = [...(spec.mounts ?? []), ...(notify ? [notifyMount(directory)] : [])]
  return { ...spec, mounts, process: { ...program, env: [...kept, ...added] } }
}

/** The directory and not the socket: that is made anew at each start. */
function notifyMount(directory: string): Mount {
  return {
    destination: notifyInside,
    type: 'bind',
    source: join(directory, recordFiles.notify),
    options: ['bind', 'nosuid', 'noexec', 'nodev', 'ro'],
  }
}
