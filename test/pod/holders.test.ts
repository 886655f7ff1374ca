import test from 'ava'
import { KeelsonError, silentLogger as log } from '../../src/base/index.ts'
import type { Ledger, Operation } from '../../src/ledger/index.ts'
import { Holders } from '../../src/pod/holders.ts'
import { type Change, PodStore } from '../../src/pod/store.ts'
import { FakeClock, settle } from '../support/fake-clock.ts'
import { FakeContainer, FakeRuntime } from '../support/fake-pod-host.ts'
import { podConfig } from '../support/pod-requests.ts'

/** A pod `p` whose holder runs, and a ledger that can be made to refuse or to take its time. */
async function scene() {
  const ledger = new ModedLedger()
  const store = new PodStore(ledger, () => 7n)
  const clock = new FakeClock(1000)
  const config = podConfig('web')
  const more = { runtimeHandler: '', createdAtNs: 5n, addresses: [], cgroupPath: '/x', ownsCgroup: true }
  await store.putSandbox({ id: 'p', config, ...more }, 'created')
  const told: Change['cause'][] = []
  store.onChange(({ cause }) => told.push(cause))
  const holders = new Holders({ store, clock, log })
  const holder = new FakeContainer(new FakeRuntime(), 'p')
  holders.watch('p', holder)
  return { ledger, store, clock, told, holders, holder }
}

class ModedLedger implements Ledger {
  mode: 'takes' | 'refuses' | 'waits' = 'takes'
  readonly commits: (readonly Operation[])[] = []
  #waiting: (() => void)[] = []

  get(): undefined {}

  range(): [] {
    return []
  }

  async commit(operations: readonly Operation[]): Promise<void> {
    if (this.mode === 'refuses') throw new KeelsonError('RESOURCE_EXHAUSTED', 'the disk is full')
    if (this.mode === 'waits') await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.commits.push(operations)
  }

  takeAll(): void {
    this.mode = 'takes'
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  async backup(): Promise<void> {}
  async [Symbol.asyncDispose](): Promise<void> {}
}

test('an end that could not be recorded is recorded later, over the newest record, and told once', async (t) => {
  const { ledger, store, clock, told, holder } = await scene()
  ledger.mode = 'refuses'
  holder.end(0)
  await clock.advance(1500)
  t.is(store.sandbox('p').stoppedAtNs, undefined)
  ledger.mode = 'takes'
  await store.changeSandbox('p', (last) => ({ ...last, addresses: ['10.0.0.9'] }))
  await clock.advance(1000)
  t.truthy(store.sandbox('p').stoppedAtNs)
  t.deepEqual(store.sandbox('p').addresses, ['10.0.0.9'])
  t.deepEqual(told, ['stopped'])
  t.is(clock.pending, 0)
})

test('a stop that comes while the end is being recorded tells nothing again and keeps its time', async (t) => {
  const { ledger, store, told, holder } = await scene()
  ledger.mode = 'waits'
  holder.end(0)
  await settle()
  const stopped = store.stopSandbox('p', 5_000_000_000n)
  await settle()
  ledger.takeAll()
  await stopped
  t.is(store.sandbox('p').stoppedAtNs, 1_000_000_000n)
  t.deepEqual(told, ['stopped'])
})

test('of a holder that was released nothing is recorded any more', async (t) => {
  const { ledger, store, clock, told, holders, holder } = await scene()
  ledger.mode = 'refuses'
  holder.end(0)
  await clock.advance(500)
  holders.release('p')
  ledger.mode = 'takes'
  await store.removeSandbox(store.sandbox('p'))
  await clock.advance(5000)
  t.deepEqual(store.sandboxes(), [])
  t.deepEqual(told, ['deleted'])
})

test('a holder of which the runtime no longer knows has ended', async (t) => {
  const { store, holders, holder } = await scene()
  holders.release('p')
  holder.wait = async () => {
    throw new KeelsonError('NOT_FOUND', 'no container p')
  }
  holders.watch('p', holder)
  await settle()
  await settle()
  t.truthy(store.sandbox('p').stoppedAtNs)
})
