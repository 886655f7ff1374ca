/** Changes of one image that come at the same time: by pulls, tags, removals and the end of its last container. */
import { silentLogger, systemClock } from '../../src/base/index.ts'
import { openImageStore } from '../../src/image/index.ts'
import { file, tar } from '../support/archive.ts'
import { startHostileRegistry } from '../support/hostile-registry.ts'
import { rootTest as test } from '../support/root.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const open = (path: string) => openImageStore({ dataDirectory: path, log: silentLogger, clock: systemClock })

test('an image pulled by three tags at once has all of them', async (t) => {
  await using registry = await startHostileRegistry([await tar(file('x'))])
  await using data = await temporaryDirectory()
  await using store = await open(data.path)
  const names = ['a', 'b', 'c'].map((tag) => `${registry.host}/app:${tag}`)
  await Promise.all(names.map((name) => store.pull(name)))
  t.deepEqual(store.get(registry.config).repoTags.toSorted(), names)
  const more = names.map((name) => `${name}-too`)
  await Promise.all(more.map((name) => store.tag(registry.config, name)))
  t.deepEqual(store.get(registry.config).repoTags.toSorted(), [...names, ...more].toSorted())
})

test('an image that is removed as its container ends stays removed', async (t) => {
  await using registry = await startHostileRegistry([await tar(file('x'))])
  await using data = await temporaryDirectory()
  await using store = await open(data.path)
  for (const imageFirst of [true, false]) {
    const { id } = await store.pull(registry.reference)
    await store.snapshots.prepare('c1', id)
    const both = [() => store.remove(id), () => store.snapshots.remove('c1')]
    await Promise.all((imageFirst ? both : both.reverse()).map((remove) => remove()))
    t.deepEqual(store.list(), [])
  }
})
