import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { KeelsonError } from '../../../src/base/index.ts'
import { requestedDevices, resolveDevices } from '../../../src/pod/cdi/index.ts'
import { parseDeviceName } from '../../../src/pod/cdi/spec-file.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

const edits = (name: string) => ({ containerEdits: { env: [`E=${name}`] } })
const file = (...names: string[]) => ({
  cdiVersion: '0.8.0',
  kind: 'acme.com/gpu',
  devices: names.map((name) => ({ name, ...edits(name) })),
})

/** Files by `directory/name`; names of devices resolved in the directories a and b. */
async function resolved(files: Record<string, unknown>, ...names: string[]) {
  await using folder = await temporaryDirectory()
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder.path, name)), { recursive: true })
    await writeFile(join(folder.path, name), typeof content === 'string' ? content : JSON.stringify(content))
  }
  const directories = ['a', 'b', 'absent'].map((name) => join(folder.path, name))
  return (await resolveDevices(names, directories)).map(({ env }) => env)
}

test('in the order asked for; what holds for all of a file comes once; JSON and YAML', async (t) => {
  const yaml = `
cdiVersion: "1.0.0"
kind: acme.com/nic
devices:
  - name: n0
    containerEdits:
      env: ["N=0"]
`
  const common = { ...file('x', 'y'), containerEdits: { env: ['ALL=1'] } }
  t.deepEqual(
    await resolved(
      { 'a/gpu.json': common, 'b/nic.yaml': yaml, 'b/readme.txt': 'no' },
      ...['acme.com/gpu=y', 'acme.com/nic=n0', 'acme.com/gpu=x'],
    ),
    [['ALL=1'], ['E=y'], ['N=0'], ['E=x']],
  )
  t.deepEqual(await resolved({ 'a/bad.json': '{' }), [], 'nobody asked, nothing is read')
})

test('a later directory counts more; two files of one directory contradict each other', async (t) => {
  const other = { ...file('x'), devices: [{ name: 'x', ...edits('later') }] }
  t.deepEqual(await resolved({ 'a/1.json': file('x'), 'b/1.json': other }, 'acme.com/gpu=x'), [['E=later']])
  await t.throwsAsync(resolved({ 'a/1.json': file('x'), 'a/2.json': other }, 'acme.com/gpu=x'), {
    message: /"acme.com\/gpu=x" cannot be had: two CDI files/,
  })
})

test('what cannot be had is said with the reason; a broken file speaks up when something is missing', async (t) => {
  const codeOf = async (files: Record<string, unknown>, name: string, message: RegExp) => {
    const error = await t.throwsAsync(resolved(files, name), { instanceOf: KeelsonError, message })
    return error?.code
  }
  t.is(await codeOf({}, 'acme.com/gpu=x', /no CDI file has it/), 'INVALID_ARGUMENT')
  t.is(await codeOf({}, 'gpu', /not vendor\/class=device/), 'INVALID_ARGUMENT')
  const broken = [
    '{',
    '[]',
    { ...file('x'), cdiVersion: '0.1.0' },
    { ...file('x'), kind: 'gpu' },
    { ...file('x'), devices: [] },
    file('x', 'x'),
    file('../x'),
    { ...file('x'), devices: [{ name: 'x', containerEdits: { env: 'A=1' } }] },
    { ...file('x'), devices: [{ name: 'x', containerEdits: { mounts: [{ hostPath: '/a' }] } }] },
  ]
  for (const content of broken)
    t.is(await codeOf({ 'a/bad.json': content }, 'acme.com/gpu=x', /bad\.json/), 'FAILED_PRECONDITION')
  t.deepEqual(await resolved({ 'a/bad.json': '{', 'b/good.json': file('x') }, 'acme.com/gpu=x'), [['E=x']])
})

test('devices are asked for by the field and by annotations, each once', (t) => {
  const annotations = { 'cdi.k8s.io/plugin': 'a/b=c,d/e=f', other: 'x/y=z' }
  t.deepEqual(requestedDevices({ CDIDevices: [{ name: 'd/e=f' }], annotations }), ['d/e=f', 'a/b=c'])
})

test('any text is a name or none, and a name comes apart as it was put together', (t) => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', 'B', '0', '.', '/', '=', '-', '_', ':', '\n') }),
      (text) => {
        const parsed = parseDeviceName(text)
        if (parsed) t.is(`${parsed.kind}=${parsed.device}`, text)
      },
    ),
  )
  t.deepEqual(parseDeviceName('nvidia.com/gpu=GPU-0:1'), { kind: 'nvidia.com/gpu', device: 'GPU-0:1' })
})
