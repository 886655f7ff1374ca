import { KeelsonError } from '../../base/index.ts'
import { slotCount } from './operations.ts'

/** Gives out a plan's descriptor slots: inherited ones from 0 up, in order, those that operations fill from the end. */
export class Slots {
  readonly inherited: number[] = []
  #filled = 0

  /** Hands an open descriptor of this process on. Borrowed: it must stay open until keelson-init was started. */
  inherit(fd: number): number {
    this.#refuseBeyond()
    return this.inherited.push(fd) - 1
  }

  allocate(): number {
    this.#refuseBeyond()
    return slotCount - ++this.#filled
  }

  #refuseBeyond(): void {
    if (this.inherited.length + this.#filled >= slotCount)
      throw new KeelsonError('RESOURCE_EXHAUSTED', `a plan has ${slotCount} slots`)
  }
}
