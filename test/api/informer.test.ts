import test from 'ava'
import fc from 'fast-check'
import { Informer, type Pod, resources } from '../../src/api/index.ts'
import { silentLogger, systemClock } from '../../src/base/index.ts'
import { eventually } from '../support/eventually.ts'
import { FakeApi } from '../support/fake-api.ts'

const pod = (name: string, labels: Record<string, string> = {}): Pod => ({
  metadata: { name, namespace: 'default', labels },
  spec: { containers: [{ name: 'main', image: 'busybox' }] },
})

function begin(api: FakeApi, selector?: string) {
  const stop = new AbortController()
  const seen: string[] = []
  const informer = new Informer({
    client: api.client,
    type: resources.pods,
    clock: systemClock,
    log: silentLogger,
    ...(selector ? { labelSelector: selector } : {}),
    indexes: { node: (one) => (one.spec.nodeName ? [one.spec.nodeName] : []) },
  })
  informer.onChange(({ type, key }) => seen.push(`${type} ${key}`))
  informer.start(stop.signal)
  return { informer, seen, stop }
}

test('an informer lists, follows and forgets', async (t) => {
  const api = new FakeApi()
  await api.client.create(resources.pods, pod('a'))
  const { informer, seen, stop } = begin(api)
  await informer.synced
  t.is(informer.get('default/a')?.spec.containers[0]?.image, 'busybox')
  await api.client.create(resources.pods, pod('b'))
  await api.client.postSubresource(resources.pods, { namespace: 'default', name: 'b' }, 'binding', {
    target: { name: 'node1' },
  })
  await eventually('the informer knows', () => informer.by('node', 'node1').length === 1)
  await api.client.delete(resources.pods, { namespace: 'default', name: 'a' })
  await eventually('the informer knows', () => informer.list().length === 1)
  t.deepEqual(seen, ['added default/a', 'added default/b', 'updated default/b', 'removed default/a'])
  t.true(Object.isFrozen(informer.get('default/b')?.spec))
  stop.abort()
  await informer.stopped()
})

test('an object that leaves the selector is removed, one that enters it is added', async (t) => {
  const api = new FakeApi()
  const { informer, seen, stop } = begin(api, 'app=web')
  await informer.synced
  const at = { namespace: 'default', name: 'a' }
  await api.client.create(resources.pods, pod('a'))
  await api.client.patch(resources.pods, at, {
    type: 'merge',
    patch: { metadata: { labels: { app: 'web' } } },
  })
  await eventually('the informer knows', () => informer.list().length === 1)
  await api.client.patch(resources.pods, at, {
    type: 'merge',
    patch: { metadata: { labels: { app: null } } },
  })
  await eventually('the informer knows', () => informer.list().length === 0)
  t.deepEqual(seen, ['added default/a', 'removed default/a'])
  stop.abort()
})

test('after 410 the difference between old and new list is told', async (t) => {
  const api = new FakeApi()
  await api.client.create(resources.pods, pod('gone'))
  await api.client.create(resources.pods, pod('kept'))
  const { informer, seen, stop } = begin(api)
  await informer.synced
  api.refuse = ({ query }) => (query?.['watch'] ? { code: 503, reason: 'ServiceUnavailable' } : undefined)
  api.endWatches()
  await api.client.delete(resources.pods, { namespace: 'default', name: 'gone' })
  await api.client.create(resources.pods, pod('new'))
  api.expireHistory()
  api.refuse = undefined
  await eventually(
    'the informer knows',
    () => informer.get('default/new') !== undefined && informer.list().length === 2,
  )
  t.deepEqual(seen.slice(2).sort(), ['added default/new', 'removed default/gone'])
  stop.abort()
})

test('a name that comes back with another uid is removed and added, not updated', async (t) => {
  const api = new FakeApi()
  await api.client.create(resources.pods, pod('a'))
  const { informer, seen, stop } = begin(api)
  await informer.synced
  api.refuse = ({ query }) => (query?.['watch'] ? { code: 503 } : undefined)
  api.endWatches()
  await api.client.delete(resources.pods, { namespace: 'default', name: 'a' })
  await api.client.create(resources.pods, pod('a'))
  api.expireHistory()
  api.refuse = undefined
  await eventually('the informer knows', () => seen.length === 3)
  t.deepEqual(seen, ['added default/a', 'removed default/a', 'added default/a'])
  stop.abort()
})

test('a listener added late first hears of what there is; a failing one harms nobody', async (t) => {
  const api = new FakeApi()
  await api.client.create(resources.pods, pod('a'))
  const { informer, stop } = begin(api)
  await informer.synced
  const late: string[] = []
  informer.onChange(({ key }) => late.push(key))
  t.deepEqual(late, ['default/a'])
  const end = informer.onChange(({ key }) => {
    if (key === 'default/b') throw new Error('bad listener')
  })
  await api.client.create(resources.pods, pod('b'))
  await eventually('the informer knows', () => late.includes('default/b'))
  end()
  stop.abort()
  await informer.stopped()
})

test('whatever happens and however often it is interrupted, it ends with what the server has', async (t) => {
  const anyStep = fc.record({
    do: fc.constantFrom('create', 'label', 'delete', 'end', 'expire', 'pause'),
    name: fc.constantFrom('a', 'b', 'c'),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { maxLength: 25 }), async (steps) => {
      const api = new FakeApi()
      const { informer, seen, stop } = begin(api)
      for (const [index, { do: what, name }] of steps.entries()) await act(api, what, name, index)
      const { items } = await api.client.list(resources.pods)
      const versions = (list: Pod[]) =>
        list.map(({ metadata }) => `${metadata.name} ${metadata.uid} ${metadata.resourceVersion}`).sort()
      await eventually(
        'the informer knows',
        () => String(versions(informer.list())) === String(versions(items)),
      )
      const standing = new Map<string, number>()
      for (const one of seen) {
        const [type = '', key = ''] = one.split(' ')
        const before = standing.get(key) ?? 0
        if (before !== (type === 'added' ? 0 : 1)) throw new Error(`${one} out of order in ${seen}`)
        standing.set(key, type === 'removed' ? 0 : 1)
      }
      stop.abort()
      await informer.stopped()
    }),
    { numRuns: 25 },
  )
  t.pass()
})

async function act(api: FakeApi, what: string, name: string, index: number): Promise<void> {
  const at = { namespace: 'default', name }
  const ignored = () => undefined // made twice, or not there: the history is random
  const patch = { metadata: { labels: { step: String(index) } } }
  if (what === 'create') await api.client.create(resources.pods, pod(name)).catch(ignored)
  else if (what === 'label')
    await api.client.patch(resources.pods, at, { type: 'merge', patch }).catch(ignored)
  else if (what === 'delete') await api.client.delete(resources.pods, at).catch(ignored)
  else if (what === 'end') api.endWatches()
  else if (what === 'expire') api.expireHistory()
  else await systemClock.sleep(1)
}
