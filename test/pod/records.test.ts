import { readFileSync } from 'node:fs'
import test from 'ava'
import fc from 'fast-check'
import { ContainerConfig, PodSandboxConfig } from '../../cri/types.ts'
import {
  type ContainerRecord,
  decodeContainer,
  decodeSandbox,
  encodeContainer,
  encodeSandbox,
  type SandboxRecord,
} from '../../src/pod/records.ts'

/** Written by version 0.1.0. An upgrade reads them, and what it writes is read again after a downgrade. */
const recorded = JSON.parse(readFileSync(new URL('recorded/records-0.1.0.json', import.meta.url), 'utf8'))
const bytesOf = (stored: unknown) => Buffer.from(JSON.stringify(stored))
const storedOf = (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString())

test('records of 0.1.0 are read, and written so that 0.1.0 would read them', (t) => {
  const sandbox = decodeSandbox('key', bytesOf(recorded.sandbox))
  t.like(sandbox, { runtimeHandler: 'keelson', createdAtNs: 1764439200000000001n, addresses: ['10.42.0.5'] })
  t.like(sandbox.config, { hostname: 'web', labels: { app: 'web' } })
  t.like(storedOf(encodeSandbox(sandbox)), recorded.sandbox)
  const container = decodeContainer('key', bytesOf(recorded.container))
  t.like(container, { stopSignal: 'SIGQUIT', user: { uid: 33, gid: 34 }, startedAtNs: 1764439200000000003n })
  t.like(container.exit, { exitCode: 7, reason: 'Error', finishedAtNs: 1764439200000000004n })
  t.deepEqual(container.config.command, ['sleep', '1000'])
  t.like(storedOf(encodeContainer(container)), recorded.container)
})

test('what another version wrote, or nobody, is DATA_LOSS and says which record', (t) => {
  for (const bytes of [
    bytesOf({ ...recorded.sandbox, version: 2 }),
    Buffer.from('{'),
    Buffer.from('null'),
    Buffer.alloc(9),
  ])
    t.throws(() => decodeSandbox('pod/sandbox/x', bytes), { code: 'DATA_LOSS', message: /pod\/sandbox\/x/ })
})

const ns = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n })
const words = fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 3 })
const map = fc.dictionary(fc.string(), fc.string(), { maxKeys: 3, noNullPrototype: true })
const metadata = fc.record({ name: fc.string(), uid: fc.string(), namespace: fc.string(), attempt: fc.nat() })

const sandboxes: fc.Arbitrary<SandboxRecord> = fc.record(
  {
    id: fc.string(),
    config: fc
      .record({ metadata, labels: map, annotations: map, hostname: fc.string() })
      .map((one) => PodSandboxConfig.fromPartial(one)),
    runtimeHandler: fc.string(),
    createdAtNs: ns,
    stoppedAtNs: ns,
    addresses: words,
    cgroupPath: fc.string(),
    ownsCgroup: fc.boolean(),
  },
  {
    requiredKeys: ['id', 'config', 'runtimeHandler', 'createdAtNs', 'addresses', 'cgroupPath', 'ownsCgroup'],
  },
)

test('a sandbox comes out as it went in', (t) => {
  fc.assert(
    fc.property(sandboxes, (record) => void t.deepEqual(decodeSandbox('', encodeSandbox(record)), record)),
  )
})

test('a container comes out as it went in, and its state with it', (t) => {
  const exit = fc.record({
    exitCode: fc.nat(255),
    finishedAtNs: ns,
    reason: fc.string(),
    message: fc.string(),
  })
  const changes = fc.record(
    {
      config: fc.record({ command: words, labels: map }).map((one) => ContainerConfig.fromPartial(one)),
      startedAtNs: ns,
      exit,
    },
    { requiredKeys: ['config'] },
  )
  const first = decodeContainer('', bytesOf(recorded.container))
  const { startedAtNs: _, exit: __, ...created } = first
  fc.assert(
    fc.property(changes, (more) => {
      const record = { ...created, ...more } as ContainerRecord
      t.deepEqual(decodeContainer('', encodeContainer(record)), record)
    }),
  )
})
