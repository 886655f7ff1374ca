import { readdir, readFile } from 'node:fs/promises'
import test from 'ava'
import { deviceName } from '../../../src/pod/metrics/device-name.ts'

test('a block device by its name, anything else by its number', async (t) => {
  t.is(await deviceName('0:99999'), '0:99999')
  const [name] = await readdir('/sys/block').catch(() => [])
  if (name === undefined) return
  const number = (await readFile(`/sys/block/${name}/dev`, 'utf8')).trim()
  t.is(await deviceName(number), `/dev/${name}`)
})
