import { dirname, join } from 'node:path'
import { isFrozen } from '../../../oci/cgroup/index.ts'
import { type HostView, thisHost } from '../../../oci/host-view.ts'
import type { Operation } from '../../../oci/plan/operations.ts'
import { handOn } from './hand-on.ts'

/**
 * This process's view of the host, which keeps what was looked at: the front checks in its own namespaces that it is
 * the same there. So a caller with other mounts is never served by what ours are.
 */
export class Witness implements HostView {
  readonly #facts = new Map<string, Operation>()

  get facts(): Operation[] {
    return [...this.#facts.values()]
  }

  exists(path: string): boolean {
    const found = thisHost.exists(path)
    this.#keep(found ? { op: 'requirePath', path } : { op: 'requireMissing', path })
    return found
  }

  isDirectory = (path: string): boolean => {
    this.#keep({ op: 'requireDirectory', path }) // not looked at by us: what is none there is refused by Node
    return true
  }

  read(path: string): string | undefined {
    const text = thisHost.read(path)
    if (text?.includes('\0')) handOn(`${path} is no text`)
    this.#keep(text === undefined ? { op: 'requireMissing', path } : { op: 'requireText', path, text })
    return text
  }

  deviceAt = (path: string): string | undefined => {
    const device = thisHost.deviceAt(path)
    this.#keep(device === undefined ? { op: 'requireMissing', path } : { op: 'requireDevice', path, device })
    return device
  }

  /** That a new container has these cgroups to itself, and would run in them. */
  unused({ leaves, freezers }: { leaves: readonly string[]; freezers: readonly string[] }): void {
    for (const leaf of leaves) if (this.exists(leaf)) handOn(`${leaf} is there already`)
    for (const leaf of freezers) {
      const parent = this.#nearestGroup(leaf)
      if (parent === undefined) continue
      for (const file of ['freezer.state', 'cgroup.freeze', 'cgroup.events']) this.read(join(parent, file))
      if (isFrozen([parent])) handOn(`${parent} is frozen`)
    }
  }

  #nearestGroup(leaf: string): string | undefined {
    for (let at = leaf; at !== dirname(at); at = dirname(at))
      if (thisHost.exists(join(at, 'cgroup.procs'))) return at
    return undefined
  }

  #keep(fact: Operation & { path: string }): void {
    this.#facts.set(`${fact.op} ${fact.path}`, fact)
  }
}
