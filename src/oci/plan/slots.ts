import { KeelsonError } from '../../base/index.ts'
import { slotCount } from './operations.ts'

/** Gives out a plan's descriptor slots: first the inherited ones, in order, then those that operations fill. */
export class Slots {
  readonly inherited: number[] = []
  #next: number | undefined

  /** Hands an open descriptor of this process on. Borrowed: it must stay open until keelson-init was started. */
  inherit(fd: number): number {
    if (this.#next !== undefined) throw new KeelsonError('INTERNAL', 'inherited slots come first')
    return this.inherited.push(fd) - 1
  }

  allocate(): number {
    const slot = this.#next ?? this.inherited.length
    if (slot >= slotCount) throw new KeelsonError('RESOURCE_EXHAUSTED', `a plan has ${slotCount} slots`)
    this.#next = slot + 1
    return slot
  }
}
