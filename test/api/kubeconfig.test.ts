import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { formatKubeconfig, readKubeconfig } from '../../src/api/index.ts'
import { hasCode } from '../../src/base/index.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const content = { name: 'keelson', server: 'https://127.0.0.1:6443', ca: 'CA', cert: 'CERT', key: 'KEY' }

test('what is written is read back', async (t) => {
  await using directory = await temporaryDirectory()
  const path = join(directory.path, 'config')
  await writeFile(path, formatKubeconfig(content))
  const { transport, namespace } = await readKubeconfig(path)
  const { server, ca, cert, key } = content
  t.like(transport, { server, ca, cert, key })
  t.is(namespace, 'default')
})

test('files are read relative to the configuration, a context by name', async (t) => {
  await using directory = await temporaryDirectory()
  await writeFile(join(directory.path, 'ca.crt'), 'CA of a file')
  const path = join(directory.path, 'config')
  await writeFile(
    path,
    `clusters: [{ name: c, cluster: { server: 'https://h', certificate-authority: ca.crt } }]
users: [{ name: u, user: { token: secret } }]
contexts: [{ name: x, context: { cluster: c, user: u, namespace: work } }]`,
  )
  const access = await readKubeconfig(path, 'x')
  t.like(access, { namespace: 'work', transport: { ca: 'CA of a file', token: 'secret', cert: undefined } })
  t.is((await t.throwsAsync(readKubeconfig(path)))?.message, 'kubeconfig: there is no context ""')
})

test('what is missing or unreadable is named', async (t) => {
  await using directory = await temporaryDirectory()
  const path = join(directory.path, 'config')
  t.true(hasCode(await t.throwsAsync(readKubeconfig(path)), 'NOT_FOUND'))
  await writeFile(path, 'a: [')
  t.true(hasCode(await t.throwsAsync(readKubeconfig(path)), 'INVALID_ARGUMENT'))
  await writeFile(path, 'just text')
  t.true(hasCode(await t.throwsAsync(readKubeconfig(path)), 'INVALID_ARGUMENT'))
})
