import { KeelsonError } from '../../base/index.ts'
import { shown } from '../shown.ts'

/** The kernel's own file systems have labels of their own (as runc). */
const unlabelled = new Set(['proc', 'sysfs', 'mqueue', 'cgroup', 'cgroup2'])
const contextWords = ['context', 'fscontext', 'defcontext', 'rootcontext']

/** `linux.mountLabel` as an option of a file system. crun's annotation chooses which of SELinux's options it is. */
export function labelled(type: string, label: string, annotations: Record<string, string> = {}): string[] {
  if (unlabelled.has(type)) return []
  const word = annotations['run.oci.mount_context_type'] ?? 'context'
  if (contextWords.includes(word)) return [`${word}=${label}`]
  const path = 'annotations["run.oci.mount_context_type"]'
  throw new KeelsonError('INVALID_ARGUMENT', `${path}: unknown context ${shown(word)}`, {
    path,
    hint: `use one of ${contextWords.join(', ')}`,
  })
}

/**
 * mount(2) takes all options as one line, where the commas of a label have to be quoted. fsconfig(2) takes them one by
 * one and as they are: the quotes would become part of the label.
 */
export function contextOption(option: string): string {
  const [, word = '', label = ''] = /^(\w+)="(.*)"$/.exec(option) ?? []
  return contextWords.includes(word) ? `${word}=${label}` : option
}
