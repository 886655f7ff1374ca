import { KeelsonError } from '../base/index.ts'

/** The namespace that a sysctl belongs to, and its path below /proc/sys. */
export interface NamespacedSysctl {
  namespace: 'network' | 'ipc'
  path: string
}

const ipcNames = /^kernel\/(shm(all|max|mni|_rmid_forced)|msg(max|mni|mnb)|sem)$|^fs\/mqueue\//

/**
 * Reads a sysctl's name as sysctl(8) does: whichever of `.` and `/` comes first separates; where it is the dot, a slash
 * stands for a dot inside a part (`net.ipv4.conf.eth0/1.forwarding`). INVALID_ARGUMENT for what is not
 * namespaced, since writing that would change the host.
 */
export function parseSysctlName(name: string): NamespacedSysctl {
  const firstSeparator = name.match(/[./]/)?.[0]
  const path = firstSeparator === '.' ? name.replace(/[./]/g, (one) => (one === '.' ? '/' : '.')) : name
  const parts = path.split('/')
  if (
    parts.length < 2 ||
    parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('\0'))
  )
    throw new KeelsonError('INVALID_ARGUMENT', `"${name}" is not the name of a sysctl`, { path: name })
  if (parts[0] === 'net') return { namespace: 'network', path }
  if (ipcNames.test(path)) return { namespace: 'ipc', path }
  throw new KeelsonError('INVALID_ARGUMENT', `sysctl "${name}" does not belong to a namespace of the pod`, {
    path: name,
    hint: 'only net.*, kernel.shm*, kernel.msg*, kernel.sem and fs.mqueue.* can be set for a pod',
  })
}
