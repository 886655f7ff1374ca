import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { KeelsonError } from '../../src/base/index.ts'
import { openLedger } from '../../src/ledger/index.ts'
import {
  type ContainerRecord,
  decodeContainer,
  encodeContainer,
  type SandboxRecord,
} from '../../src/pod/records.ts'
import { PodStore } from '../../src/pod/store.ts'
import { fakeImage } from '../support/fake-images.ts'
import { containerConfig, podConfig } from '../support/pod-requests.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

function sandbox(id: string): SandboxRecord {
  const config = podConfig('web')
  return {
    id,
    config,
    runtimeHandler: '',
    createdAtNs: 5n,
    addresses: [],
    cgroupPath: '/x',
    ownsCgroup: true,
  }
}

function container(id: string, sandboxId: string): ContainerRecord {
  return {
    id,
    sandboxId,
    config: containerConfig('main', { envs: [{ key: 'A', value: Buffer.from([0, 255]) }] }),
    imageId: fakeImage.id,
    imageRef: '',
    imageName: '',
    imageConfig: fakeImage.config,
    stopSignal: 'SIGTERM',
    logPath: '',
    user: { uid: 1, gid: 2, additionalGids: [2] },
    createdAtNs: 1n,
  }
}

test('changes are told in the order they were asked for, and found again after reopening', async (t) => {
  await using directory = await temporaryDirectory()
  const path = join(directory.path, 'ledger')
  const told: string[] = []
  {
    await using ledger = await openLedger({ path })
    const store = new PodStore(ledger, () => 7n)
    store.onChange(({ cause, sandbox: of, container: one }) => told.push(`${cause} ${one?.id ?? of.id}`))
    const started = { ...container('c1', 's1'), startedAtNs: 2n }
    const exit = { exitCode: 0, finishedAtNs: 3n, reason: 'Completed', message: '' }
    await Promise.all([
      store.putSandbox(sandbox('s1'), 'created', 'started'),
      store.putContainer(container('c1', 's1'), 'created'),
      store.putContainer(started, 'started'),
      store.putContainer({ ...started, exit }, 'stopped'),
      store.putContainer(container('c2', 's1'), 'created'),
      store.removeContainer(container('c2', 's1')),
    ])
  }
  t.deepEqual(told, [
    'created s1',
    'started s1',
    'created c1',
    'started c1',
    'stopped c1',
    'created c2',
    'deleted c2',
  ])
  await using ledger = await openLedger({ path })
  const store = new PodStore(ledger, () => 7n)
  t.deepEqual(store.sandbox('s1'), sandbox('s1'))
  t.deepEqual(
    store.containers().map(({ id, exit }) => [id, exit?.reason]),
    [['c1', 'Completed']],
  )
})

test('an id may be a prefix if only one has it; an empty one is nobody', async (t) => {
  await using directory = await temporaryDirectory()
  await using ledger = await openLedger({ path: join(directory.path, 'ledger') })
  const store = new PodStore(ledger, () => 7n)
  for (const id of ['abc', 'abd', 'ab']) await store.putSandbox(sandbox(id))
  t.is(store.findSandbox('abc')?.id, 'abc')
  t.is(store.findSandbox('ab')?.id, 'ab')
  t.is(store.findSandbox('a'), undefined)
  t.is(store.findSandbox(''), undefined)
  t.throws(() => store.sandbox('x'), { instanceOf: KeelsonError, message: /no pod sandbox x/ })
})

test('property: a record comes back as it was', (t) => {
  const property = fc.property(
    fc.bigInt({ min: 0n, max: 1n << 62n }),
    fc.string(),
    fc.nat(255),
    (ns, text, code) => {
      const exit = { exitCode: code, finishedAtNs: ns, reason: text, message: text }
      const record = { ...container('c', 's'), createdAtNs: ns, startedAtNs: ns, exit, logPath: text }
      t.deepEqual(decodeContainer('k', encodeContainer(record)), record)
    },
  )
  t.notThrows(() => fc.assert(property))
})

test('bytes that are no record of ours are DATA_LOSS and name the key', (t) => {
  for (const bytes of ['', '{', '{}', '{"version":2}', 'null']) {
    const error = t.throws(() => decodeContainer('pod/container/x', Buffer.from(bytes)), {
      instanceOf: KeelsonError,
      message: /pod\/container\/x/,
    })
    t.is(error.code, 'DATA_LOSS')
  }
})
