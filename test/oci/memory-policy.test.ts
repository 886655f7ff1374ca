import test from 'ava'
import { memoryPolicyArguments } from '../../src/oci/memory-policy.ts'
import type { MemoryPolicy } from '../../src/oci/spec.ts'

test('mode, flags and nodes as set_mempolicy takes them', (t) => {
  const { mode, nodes } = memoryPolicyArguments({
    mode: 'MPOL_BIND',
    nodes: '0,3',
    flags: ['MPOL_F_STATIC_NODES', 'MPOL_F_NUMA_BALANCING'],
  })
  t.is(mode, 2 | (1 << 15) | (1 << 13))
  t.deepEqual([...nodes], [0b1001, 0, 0, 0, 0, 0, 0, 0])
  t.is(memoryPolicyArguments({ mode: 'MPOL_PREFERRED' }).nodes.length, 0, 'preferred without nodes is local')
})

const refused: [path: string, policy: MemoryPolicy][] = [
  ['linux.memoryPolicy.mode', { mode: 'MPOL_NONE' }],
  ['linux.memoryPolicy.nodes', { mode: 'MPOL_DEFAULT', nodes: '0' }],
  ['linux.memoryPolicy.nodes', { mode: 'MPOL_BIND' }],
  ['linux.memoryPolicy.nodes', { mode: 'MPOL_BIND', nodes: 'x' }],
  ['linux.memoryPolicy.flags[0]', { mode: 'MPOL_BIND', nodes: '0', flags: ['MPOL_F_X'] }],
]
for (const [index, [path, policy]] of refused.entries())
  test(`refused (${index}): ${JSON.stringify(policy)}`, (t) => {
    t.like(
      t.throws(() => memoryPolicyArguments(policy)),
      { code: 'INVALID_ARGUMENT', path },
    )
  })
