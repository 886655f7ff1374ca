import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { findNetwork } from '../../../src/network/cni/network-directory.ts'
import { scratchDirectory } from '../../support/scratch-directory.ts'

const list = (name: string, more: object = {}) =>
  JSON.stringify({ cniVersion: '1.0.0', name, plugins: [{ type: 'bridge' }], ...more })

test('the first valid file in the order of names wins; what was passed over is told', async (t) => {
  const directory = await scratchDirectory(t)
  await writeFile(join(directory, '00-readme.txt'), 'no network')
  await writeFile(join(directory, '10-broken.conflist'), '{')
  await writeFile(
    join(directory, '20-old.conf'),
    JSON.stringify({ cniVersion: '0.3.1', name: 'old', type: 'ptp' }),
  )
  await writeFile(join(directory, '30-new.conflist'), list('new'))
  await mkdir(join(directory, '05-folder.conflist'))
  const { network, refused } = await findNetwork(directory)
  t.like(network, { name: 'old', path: join(directory, '20-old.conf'), plugins: [{ type: 'ptp' }] })
  t.deepEqual(
    refused.map(({ path }) => path),
    [join(directory, '10-broken.conflist')],
  )
})

test('.json counts, and names are compared byte by byte', async (t) => {
  const directory = await scratchDirectory(t)
  await writeFile(
    join(directory, 'a.json'),
    JSON.stringify({ cniVersion: '0.4.0', name: 'small', type: 'ptp' }),
  )
  await writeFile(join(directory, 'B.conflist'), list('capital'))
  t.is((await findNetwork(directory)).network?.name, 'capital')
})

test('plugins in a folder of the network come after the inlined ones, unless only those are wanted', async (t) => {
  const directory = await scratchDirectory(t)
  await mkdir(join(directory, 'pods'))
  await writeFile(join(directory, 'pods/20-b.conf'), JSON.stringify({ type: 'portmap' }))
  await writeFile(join(directory, 'pods/10-a.conf'), JSON.stringify({ type: 'tuning' }))
  await writeFile(join(directory, 'pods/ignored.conflist'), list('x'))
  const types = async () => (await findNetwork(directory)).network?.plugins.map(({ type }) => type)
  await writeFile(join(directory, 'pods.conflist'), list('pods'))
  t.deepEqual(await types(), ['bridge', 'tuning', 'portmap'])
  await writeFile(join(directory, 'pods.conflist'), list('pods', { plugins: undefined }))
  t.deepEqual(await types(), ['tuning', 'portmap'])
  await writeFile(join(directory, 'pods.conflist'), list('pods', { loadOnlyInlinedPlugins: true }))
  t.deepEqual(await types(), ['bridge'])
})

test('no directory, an empty one and one with a broken file hold no network', async (t) => {
  const directory = await scratchDirectory(t)
  t.deepEqual(await findNetwork(join(directory, 'absent')), { refused: [] })
  t.deepEqual(await findNetwork(directory), { refused: [] })
  await writeFile(join(directory, 'a.conflist'), list('x', { plugins: undefined }))
  const { network, refused } = await findNetwork(directory)
  t.is(network, undefined)
  t.regex(refused[0]?.message ?? '', /"plugins" is missing$/)
})
