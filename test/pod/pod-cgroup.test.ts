import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { NamespaceMode } from '../../cri/types.ts'
import { systemClock } from '../../src/base/index.ts'
import { planCgroup, readCgroupLayout } from '../../src/oci/index.ts'
import { settle } from '../support/fake-clock.ts'
import { Bench, call } from '../support/pod-bench.ts'
import { podConfig, runRequest } from '../support/pod-requests.ts'
import { rootTest } from '../support/root.ts'

const groupOf = (name: string) => `/keelson-test-shared-${process.pid}-${name}`

/** A process in a group: killed with it by who thinks that it is its own. */
class Group implements AsyncDisposable {
  readonly leaves: readonly string[]
  readonly child: ChildProcess
  readonly ended: Promise<unknown>

  constructor(path: string) {
    const { leaves } = planCgroup({ layout: readCgroupLayout(), path })
    this.leaves = leaves.filter((leaf) => !leaf.includes('/cpuset')).slice(0, 1) // a new cpuset takes nobody
    this.child = spawn('sleep', ['1000'])
    this.ended = once(this.child, 'exit')
    for (const leaf of this.leaves) {
      mkdirSync(leaf, { recursive: true })
      writeFileSync(join(leaf, 'cgroup.procs'), String(this.child.pid))
    }
  }

  get lives(): boolean {
    return this.child.signalCode === null && this.child.exitCode === null
  }

  get isThere(): boolean {
    return this.leaves.some((leaf) => existsSync(leaf))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL')
    await this.ended
    for (const leaf of this.leaves) if (existsSync(leaf)) rmdirSync(leaf)
  }
}

const config = (name: string, cgroupParent: string, pid = NamespaceMode.CONTAINER) =>
  podConfig(name, {
    linux: {
      cgroupParent,
      securityContext: { namespaceOptions: { network: NamespaceMode.POD, ipc: NamespaceMode.POD, pid } },
    },
  })

async function podIn(bench: Bench, name: string, parent: string): Promise<string> {
  return (await bench.runtime.runPodSandbox(runRequest(config(name, parent)), call)).podSandboxId
}

/** A group whose processes are just ending is busy: time has to go on. */
async function remove(bench: Bench, podSandboxId: string): Promise<void> {
  let isDone = false
  const removing = bench.runtime.removePodSandbox({ podSandboxId }, call).finally(() => {
    isDone = true
  })
  while (!isDone) {
    await bench.clock.advance(10)
    await systemClock.sleep(2)
  }
  await removing
}

rootTest('the last of the pods that share a cgroup removes it, with what is in it', async (t) => {
  await using bench = await Bench.open()
  const path = groupOf('last')
  const owner = await podIn(bench, 'a', path)
  const sharer = await podIn(bench, 'b', `${path}/`)
  await using group = new Group(path)
  await remove(bench, owner)
  t.true(group.lives && group.isThere)
  await bench.restart() // who owns it now is on record
  await remove(bench, sharer)
  await group.ended
  t.false(group.isThere)
})

rootTest('a pod that goes first leaves what lies below its cgroup, and what the caller made', async (t) => {
  await using bench = await Bench.open()
  const above = await podIn(bench, 'a', groupOf('above'))
  await using parent = new Group(groupOf('above'))
  await using group = new Group(`${groupOf('above')}/below`)
  const below = await podIn(bench, 'b', `${groupOf('above')}/below`)
  await remove(bench, above)
  t.true(group.lives && parent.lives)
  await remove(bench, below)
  t.true(group.lives && group.isThere, 'it was there before the pod')
})

rootTest(
  'a pod that could not be made takes back its own group, and the parent only when that is empty',
  async (t) => {
    await using bench = await Bench.open()
    const path = groupOf('undone')
    const failing = (name: string, before: () => void) => {
      const create = bench.host.runtime.create.bind(bench.host.runtime)
      bench.host.runtime.create = async () => {
        before()
        bench.host.runtime.create = create
        throw new Error('no process')
      }
      return t.throwsAsync(
        bench.runtime.runPodSandbox(runRequest(config(name, path, NamespaceMode.POD)), call),
        { message: /no process/ },
      )
    }
    const [leaf = ''] = planCgroup({ layout: readCgroupLayout(), path }).leaves
    await failing('alone', () => mkdirSync(leaf))
    t.false(existsSync(leaf))
    const made: Group[] = []
    await failing('beside', () => made.push(new Group(path)))
    for (const one of made) {
      await using group = one
      t.true(group.lives && group.isThere)
    }
    t.is(made.length, 1)
  },
)

rootTest('the other who is still being made comes to own the cgroup of one that fails', async (t) => {
  await using bench = await Bench.open()
  const path = groupOf('heir')
  let open = () => {}
  bench.host.network.gate = new Promise((resolve) => {
    open = resolve
  })
  bench.host.runtime.failure = new Error('no process')
  const failed = t.throwsAsync(
    bench.runtime.runPodSandbox(runRequest(config('a', path, NamespaceMode.POD)), call),
  )
  const heir = podIn(bench, 'b', path)
  await using group = new Group(path)
  await failed
  await settle()
  t.true(group.lives)
  open()
  await remove(bench, await heir)
  await group.ended
  t.false(group.isThere)
})
