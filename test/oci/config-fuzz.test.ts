/**
 * Mutations of good configurations: whatever becomes of them, the answer is a refusal with a path, or a plan that
 * encodes and that keelson-init's own decoder takes. KEELSON_TEST_FULL=1 makes a hundred thousand of them.
 */
import test from 'ava'
import fc from 'fast-check'
import { asKeelsonError, systemClock } from '../../src/base/index.ts'
import { compileExec } from '../../src/oci/compile/exec.ts'
import { planOfCreate } from '../../src/oci/dry-run.ts'
import { encodePlan } from '../../src/oci/plan/index.ts'
import { validateProcess, validateSpec } from '../../src/oci/validate.ts'
import { execRequest } from '../support/compile-request.ts'
import { goodSpecs } from '../support/good-specs.ts'
import { plainHost } from '../support/host-facts.ts'
import { buildPlanDecoder } from '../support/plan-decoder.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const runs = process.env['KEELSON_TEST_FULL'] === '1' ? 100_000 : 1_500

const corpus = goodSpecs()
const hostile: unknown[] = [
  ...[
    null,
    true,
    false,
    0,
    1,
    -1,
    1.5,
    65_536,
    2 ** 31,
    2 ** 32 - 1,
    2 ** 32,
    2 ** 53,
    2 ** 64,
    1e300,
    -1e300,
  ],
  ...['', '/', '.', '..', '../../etc', '/proc/self/fd/5', 'a\0b', '\n', '+', ' ', '\ud800', 'x'.repeat(5000)],
  ...['CAP_SYS_ADMIN', 'SCMP_ACT_NOTIFY', 'bind', 'idmap', 'remount', 'tmpcopyup', 'user', 'shared', '-1'],
  ...[[], {}, [null], [[]], { '': '' }, [''], [-1], JSON.parse('{"__proto__": {"type": "user"}}')],
  ...corpus.flatMap(({ process, mounts, linux }) => [process, mounts, linux, linux?.namespaces]),
]

type Node = Record<string | number, unknown>
type Place = readonly [holder: Node, key: string | number]

function placesOf(value: unknown, into: Place[] = []): Place[] {
  if (typeof value !== 'object' || value === null) return into
  for (const key of Object.keys(value)) {
    into.push([value as Node, key])
    placesOf((value as Node)[key], into)
  }
  return into
}

const changes = {
  replace: ([holder, key]: Place, value: unknown) => {
    holder[key] = structuredClone(value)
  },
  remove: ([holder, key]: Place) => {
    if (Array.isArray(holder)) holder.splice(Number(key), 1)
    else delete holder[key]
  },
  repeat: ([holder, key]: Place) => {
    if (Array.isArray(holder)) holder.push(structuredClone(holder[Number(key)]))
    else holder[`${key}x`] = holder[key]
  },
  swap: ([holder, key]: Place, _value: unknown, [other, otherKey]: Place) => {
    const kept = structuredClone(holder[key])
    holder[key] = structuredClone(other[otherKey])
    other[otherKey] = kept
  },
}

const mutation = fc.record({
  at: fc.nat(),
  other: fc.nat(),
  kind: fc.constantFrom(...(Object.keys(changes) as (keyof typeof changes)[])),
  value: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...hostile) },
    fc.string({ unit: 'binary' }),
    fc.double({ noNaN: true }),
    fc.jsonValue({ maxDepth: 3 }),
  ),
})
const mutations = fc.array(mutation, { minLength: 1, maxLength: 4 })

function mutate(
  good: unknown,
  list: readonly { at: number; other: number; kind: keyof typeof changes; value: unknown }[],
) {
  const value = structuredClone(good)
  for (const { at, other, kind, value: put } of list) {
    const places = placesOf(value)
    const place = places[at % places.length]
    const second = places[other % places.length]
    if (place && second) changes[kind](place, put, second)
  }
  return JSON.parse(JSON.stringify(value)) as unknown
}

const layout = {
  mode: 'hybrid' as const,
  v1: ['cpu', 'memory', 'pids', 'devices', 'cpuset', 'blkio', 'freezer', 'hugetlb'].map((name) => ({
    controllers: [name],
    mountPoint: `/nonexistent/${name}`,
    own: '/',
  })),
  v2: { controllers: ['io', 'rdma', 'misc'], mountPoint: '/nonexistent/unified', own: '/' },
}
const options = {
  stateRoot: '/nonexistent/state',
  clock: systemClock,
  cgroupLayout: layout,
  instance: '',
  host: plainHost,
}

async function planOf(value: unknown): Promise<Buffer> {
  const spec = validateSpec(value)
  const life = { kind: 'detached', stdio: [0, 1, 2] } as const
  const { plan } = await planOfCreate(options, { id: 'fuzz', bundle: '/nonexistent', spec, life })
  return encodePlan(plan)
}

function execPlanOf(value: unknown): Buffer {
  const request = execRequest({
    process: validateProcess(value),
    namespaces: ['mount', 'pid', 'cgroup'],
    tasksFiles: ['/nonexistent/tasks'],
    v2Directory: '/nonexistent/unified',
  })
  const { plan } = compileExec(request)
  return encodePlan(plan)
}

const refusals = ['INVALID_ARGUMENT', 'UNIMPLEMENTED', 'FAILED_PRECONDITION']

/** The plan, or undefined after a refusal that says where. */
async function outcome(make: () => Buffer | Promise<Buffer>): Promise<Buffer | undefined> {
  try {
    return await make()
  } catch (cause) {
    const error = asKeelsonError(cause)
    const isRefusal = refusals.includes(error.code) && error.path !== undefined && error.message.length < 2000
    if (isRefusal) return undefined
    throw new Error(`${error.code} ${error.message.slice(0, 500)} (path ${error.path})`, { cause })
  }
}

for (const [name, goods, make] of [
  ['config.json', corpus, planOf],
  ['process.json', corpus.map(({ process }) => process), execPlanOf],
] as const)
  test(`${runs} mutations of ${name}: a refusal that names the place, or a plan that the decoder takes`, async (t) => {
    t.timeout(900_000)
    await using directory = await temporaryDirectory()
    const decode = buildPlanDecoder(directory.path)
    const plans: Buffer[] = []
    let refused = 0
    let accepted = 0
    const flush = () => {
      t.deepEqual(
        decode(plans).filter((verdict) => verdict !== 'valid'),
        [],
      )
      accepted += plans.splice(0).length
    }
    const property = fc.asyncProperty(fc.nat({ max: goods.length - 1 }), mutations, async (index, list) => {
      const value = mutate(goods[index], list)
      const plan = await outcome(() => make(value))
      if (plan === undefined) refused++
      else if (plans.push(plan) === 200) flush()
    })
    await fc.assert(property, { numRuns: runs, endOnFailure: true, includeErrorInReport: true })
    flush()
    t.log(`${refused} refused, ${accepted} plans`)
    t.true(refused > runs / 10)
    t.true(accepted > runs / 50)
  })

test('every good configuration is valid, and what cannot be done yet of it is refused by name', async (t) => {
  for (const spec of corpus) {
    t.notThrows(() => validateSpec(JSON.parse(JSON.stringify(spec))))
    await t.notThrowsAsync(outcome(() => planOf(spec)))
  }
})
