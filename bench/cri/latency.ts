/** One pod at a time: how long each call takes, and what a whole cycle costs. */
import { systemClock } from '../../src/base/index.ts'
import { cpuMsOf } from '../frame/cpu.ts'
import type { Pod } from '../frame/pod-cycle.ts'
import type { Row } from '../frame/row.ts'
import type { Side } from './side.ts'

/** Cycles whose CPU time is taken together: the kernel's counters and what ends in the background are coarse. */
const cyclesAtOnce = 8
const settleMs = 300

export function latencyRows(side: Side): Row[] {
  return [podUp(side, true), podUp(side, false), execSync(side), stopRemove(side), podCpu(side)]
}

function podUp({ variant, version, pods }: Side, filter: boolean): Row {
  let pod: Pod | undefined
  return {
    id: filter ? 'cri-pod-up' : 'cri-pod-up-noseccomp',
    variant,
    version,
    run: async () => {
      pod = await pods.up({ filter })
    },
    after: async () => pod && (await pods.down(pod)),
  }
}

function stopRemove({ variant, version, pods }: Side): Row {
  let pod: Pod | undefined
  return {
    id: 'cri-stop-remove',
    variant,
    version,
    async before() {
      pod = await pods.up()
    },
    run: async () => pod && (await pods.down(pod)),
  }
}

function execSync({ variant, version, pods }: Side): Row {
  let pod: Pod | undefined // ends with the bench
  return {
    id: 'cri-exec-sync',
    variant,
    version,
    async before() {
      pod ??= await pods.up()
    },
    run: async () => pod && (await pods.trueInside(pod)),
  }
}

function podCpu({ variant, version, pods, cpuGroups }: Side): Row {
  return {
    id: 'cri-pod-cpu',
    variant,
    version,
    unit: 'cpu-ms',
    every: 5,
    async run() {
      const startMs = cpuMsOf(cpuGroups) ?? Number.NaN
      for (let left = cyclesAtOnce; left > 0; left--) await pods.down(await pods.up())
      await systemClock.sleep(settleMs)
      return ((cpuMsOf(cpuGroups) ?? Number.NaN) - startMs) / cyclesAtOnce
    },
  }
}
