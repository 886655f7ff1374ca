import test from 'ava'
import fc from 'fast-check'
import type { Container, Pod } from '../../src/api/index.ts'
import { cpuQuotaUs, cpuShares, linuxResources, oomScoreAdj } from '../../src/kubelet/container-resources.ts'
import { qosClass } from '../../src/kubelet/qos.ts'

const gib = 2 ** 30

function podWith(...resources: NonNullable<Container['resources']>[]): Pod {
  const containers = resources.map((one, index) => ({ name: `c${index}`, resources: one }))
  return { metadata: { name: 'p' }, spec: { containers } }
}

const full = { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '1000m', memory: '1024Mi' } }

test('QoS: Guaranteed asks for exactly its limits, everywhere, for cpu and memory', (t) => {
  t.is(qosClass(podWith(full)), 'Guaranteed')
  t.is(qosClass(podWith({ limits: full.limits })), 'Guaranteed')
  t.is(qosClass(podWith(full, {})), 'Burstable')
  t.is(qosClass(podWith({ ...full, requests: { cpu: '500m', memory: '1Gi' } })), 'Burstable')
  t.is(qosClass(podWith({ limits: { cpu: '1' } })), 'Burstable')
  t.is(qosClass(podWith({}, {})), 'BestEffort')
  t.is(qosClass(podWith({ requests: { cpu: '0' } })), 'BestEffort')
  const init = { ...podWith(full), spec: { ...podWith(full).spec, initContainers: [{ name: 'i' }] } }
  t.is(qosClass(init), 'Burstable')
})

test('shares, quota, memory and OOM score of one container', (t) => {
  const pod = podWith(full)
  const [container = { name: '' }] = pod.spec.containers
  t.like(linuxResources(pod, container, 8 * gib), {
    cpuShares: 1024n,
    cpuPeriod: 100_000n,
    cpuQuota: 100_000n,
    memoryLimitInBytes: BigInt(gib),
    oomScoreAdj: -997n,
  })
  const none = podWith({})
  t.like(linuxResources(none, none.spec.containers[0] ?? container, gib), {
    cpuShares: 2n,
    cpuQuota: 0n,
    memoryLimitInBytes: 0n,
    oomScoreAdj: 1000n,
  })
})

test('a limit alone is also the request', (t) => {
  const pod = podWith({ limits: { cpu: '250m' } })
  t.like(linuxResources(pod, pod.spec.containers[0] ?? { name: '' }, gib), {
    cpuShares: 256n,
    cpuQuota: 25_000n,
  })
})

test('property: shares and quota stay in the kernel’s bounds and grow with the CPUs', (t) => {
  fc.assert(
    fc.property(fc.nat(1_000_000), fc.nat(1_000_000), (a, b) => {
      const [low, high] = a < b ? [a, b] : [b, a]
      return (
        cpuShares(low) >= 2 &&
        cpuShares(high) <= 262_144 &&
        cpuShares(low) <= cpuShares(high) &&
        cpuQuotaUs(low) >= 1000 &&
        cpuQuotaUs(low) <= cpuQuotaUs(high)
      )
    }),
  )
  t.pass()
})

test('property: Burstable lies between Guaranteed and BestEffort, and falls with the memory asked for', (t) => {
  const score = (mib: number) => {
    const pod = podWith({ requests: { memory: `${mib}Mi` } })
    return oomScoreAdj(pod, pod.spec.containers[0] ?? { name: '' }, 8 * gib)
  }
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20_000 }), fc.integer({ min: 1, max: 20_000 }), (a, b) => {
      const [low, high] = a < b ? [a, b] : [b, a]
      return score(low) <= 999 && score(high) >= 3 && score(low) >= score(high)
    }),
  )
  t.pass()
})

test('pods critical to the node are killed last', (t) => {
  const pod = podWith({})
  const critical = { ...pod, spec: { ...pod.spec, priority: 2_000_001_000 } }
  t.is(oomScoreAdj(critical, critical.spec.containers[0] ?? { name: '' }, gib), -997)
})
