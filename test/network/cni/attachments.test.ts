import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { type LogFields, type Logger, silentLogger } from '../../../src/base/index.ts'
import { type Attachment, Attachments } from '../../../src/network/cni/attachments.ts'
import { scratchDirectory } from '../../support/scratch-directory.ts'

const attachment: Attachment = {
  version: 1,
  containerId: 'c1',
  ifName: 'eth0',
  network: {
    name: 'n',
    cniVersion: '1.0.0',
    disableCheck: false,
    disableGC: false,
    plugins: [{ type: 'x', a: [1] }],
  },
  args: { A: 'b' },
  offers: { portMappings: [{ protocol: 'tcp', hostPort: 1, containerPort: 2 }] },
}
const key = { containerId: 'c1', ifName: 'eth0' }

test('what is put is there for the next process, until it is removed', async (t) => {
  const directory = join(await scratchDirectory(t), 'cache')
  const first = await Attachments.open(directory, silentLogger)
  await first.put(attachment)
  await first.put({ ...attachment, result: { cniVersion: '1.0.0', ips: [] } })
  await first.put({ ...attachment, containerId: 'c2' })
  const second = await Attachments.open(directory, silentLogger)
  t.deepEqual(second.get(key), { ...attachment, result: { cniVersion: '1.0.0', ips: [] } })
  t.deepEqual(
    second
      .all()
      .map(({ containerId }) => containerId)
      .sort(),
    ['c1', 'c2'],
  )
  await second.remove(key)
  await second.remove(key)
  t.is(second.get(key), undefined)
  t.deepEqual((await Attachments.open(directory, silentLogger)).all().length, 1)
})

test('a file of another version or torn is told and stays; half a write goes', async (t) => {
  const directory = await scratchDirectory(t)
  await writeFile(join(directory, 'a-eth0.json'), '{')
  await writeFile(join(directory, 'b-eth0.json'), JSON.stringify({ ...attachment, version: 2 }))
  await writeFile(join(directory, 'c-eth0.json.1.1.tmp'), '')
  const told: (LogFields | undefined)[] = []
  const log: Logger = { ...silentLogger, warn: (_msg, fields) => void told.push(fields) }
  t.deepEqual((await Attachments.open(directory, log)).all(), [])
  t.deepEqual(
    told.map((fields) => fields?.['path']),
    [join(directory, 'a-eth0.json'), join(directory, 'b-eth0.json')],
  )
  t.deepEqual(await readdir(directory), ['a-eth0.json', 'b-eth0.json'])
})
