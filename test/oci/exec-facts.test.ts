import test from 'ava'
import type { RuntimeContext } from '../../src/oci/context.ts'
import { execFacts, KnownFacts } from '../../src/oci/exec-facts.ts'
import type { ContainerRecord } from '../../src/oci/state/record.ts'
import { plainSpec } from '../support/container.ts'
import { plainHost } from '../support/host-facts.ts'

const context = { host: plainHost } as RuntimeContext
const record = (pid: number, createdAtNs = '1', id = 'one') =>
  ({ id, bundle: '/bundle', createdAtNs, process: { pid, startTicks: '5' } }) as ContainerRecord
const spec = plainSpec(['true'], ({ linux }) => {
  linux.seccomp = { defaultAction: 'SCMP_ACT_ALLOW' }
})

test('a container’s filter is compiled, and its profile is not kept beside it', (t) => {
  const { filter, linux, namespaces } = execFacts(context, record(7), spec)
  t.true((filter?.program.length ?? 0) > 0)
  t.is(linux?.seccomp, undefined)
  t.true(namespaces.includes('mount'))
})

test('they are read once for a container, and anew for another one of the same name', (t) => {
  const known = new KnownFacts()
  const read = () => execFacts(context, record(7), spec)
  const first = known.of(record(7), read)
  t.is(known.of(record(7), read), first)
  t.not(known.of(record(8), read), first)
  const second = known.of(record(8), read)
  t.not(known.of(record(8, '2'), read), second)
})

test('those of the containers that execs were in last are kept', (t) => {
  const known = new KnownFacts()
  let reads = 0
  const ask = (id: string) =>
    known.of(record(7, '1', id), () => {
      reads += 1
      return execFacts(context, record(7), spec)
    })
  ask('probed')
  for (let other = 0; other < 100; other++) {
    ask(`other ${other}`)
    ask('probed')
  }
  t.is(reads, 101)
  ask('other 0')
  t.is(reads, 102)
})
