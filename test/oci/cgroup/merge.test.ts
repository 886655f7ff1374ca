import test from 'ava'
import { mergeResources, resourcesToWrite } from '../../../src/oci/cgroup/merge.ts'

const before = {
  devices: [{ allow: false }],
  memory: { limit: 100, swap: 200, reservation: 7 },
  cpu: { shares: 512, quota: 50, period: 100 },
  hugepageLimits: [{ pageSize: '2MB', limit: 1 }],
  pids: { limit: 5 },
}

test('what an update names replaces, the rest stays, device rules always do', (t) => {
  const update = {
    devices: [{ allow: true }],
    memory: { limit: 150 },
    pids: { limit: 0 },
    hugepageLimits: [
      { pageSize: '1GB', limit: 2 },
      { pageSize: '2MB', limit: 3 },
    ],
  }
  t.deepEqual(mergeResources(before, update), {
    ...before,
    memory: { limit: 150, swap: 200, reservation: 7 },
    pids: { limit: 0 },
    hugepageLimits: [
      { pageSize: '2MB', limit: 3 },
      { pageSize: '1GB', limit: 2 },
    ],
  })
})

test('values that the kernel checks against each other are written together', (t) => {
  t.deepEqual(resourcesToWrite(before, { memory: { limit: 150 } }), { memory: { limit: 150, swap: 200 } })
  t.deepEqual(resourcesToWrite(before, { memory: { reservation: 9 } }), { memory: { reservation: 9 } })
  t.deepEqual(resourcesToWrite(before, { cpu: { period: 10 } }), { cpu: { period: 10, quota: 50 } })
  t.deepEqual(resourcesToWrite(before, { cpu: { cpus: '0' } }), { cpu: { cpus: '0' } })
})

test('no limit for memory lifts that of swap too, as in runc', (t) => {
  t.deepEqual(resourcesToWrite(before, { memory: { limit: -1 } }), { memory: { limit: -1, swap: -1 } })
  t.deepEqual(resourcesToWrite(before, { memory: { limit: -1, swap: 300 } }), {
    memory: { limit: -1, swap: 300 },
  })
})
