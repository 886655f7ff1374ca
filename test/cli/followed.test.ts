import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { createLogger } from '../../src/base/index.ts'
import { Followed } from '../../src/cli/followed.ts'
import { readRegistries } from '../../src/cli/registries.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

function logger() {
  const lines: string[] = []
  const write = (line: string) => void lines.push(line)
  return { lines, log: createLogger({ level: 'info', format: 'json', nowMs: Date.now, write }) }
}

test('a file is read again when it is another, and only then', async (t) => {
  await using folder = await temporaryDirectory()
  const path = join(folder.path, 'file')
  await writeFile(path, 'one')
  const { log } = logger()
  let readings = 0
  const read = async () => ++readings
  const followed = await Followed.open({ paths: [path], read, log })
  t.is(await followed.value(), 1)
  t.is(await followed.value(), 1)
  await writeFile(path, 'two')
  t.deepEqual(await Promise.all([followed.value(), followed.value()]), [2, 2])
  await writeFile(`${path}.new`, 'two') // the same words in another file
  await rename(`${path}.new`, path)
  t.is(await followed.value(), 3)
  await rm(path)
  t.is(await followed.value(), 4)
  t.is(await followed.value(), 4)
})

test('what is wrong after a change is logged once; what was there before stays', async (t) => {
  await using folder = await temporaryDirectory()
  const hosts = join(folder.path, 'quay.io/hosts.toml')
  await mkdir(join(folder.path, 'quay.io'))
  await writeFile(hosts, '[host."http://127.0.0.1:1"]')
  const { log, lines } = logger()
  const paths = [folder.path]
  const read = async () =>
    (await readRegistries(folder.path))['quay.io']?.endpoints.map((one) =>
      typeof one === 'string' ? one : one.url,
    )
  const followed = await Followed.open({ paths, read, log })
  t.deepEqual(await followed.value(), ['http://127.0.0.1:1/v2'])
  await writeFile(hosts, '[host."http://127.0.0.1:2"')
  for (let times = 0; times < 3; times++) t.deepEqual(await followed.value(), ['http://127.0.0.1:1/v2'])
  t.is(lines.length, 1)
  t.regex(lines[0] ?? '', /"level":"error".*hosts\.toml/)
  await writeFile(hosts, '[host."http://127.0.0.1:3"]')
  t.deepEqual(await followed.value(), ['http://127.0.0.1:3/v2'])
  await t.throwsAsync(Followed.open({ paths, read: () => readRegistries('/no/such'), log }))
})
