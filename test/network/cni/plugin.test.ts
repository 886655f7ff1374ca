import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { systemClock } from '../../../src/base/index.ts'
import { PluginHost } from '../../../src/network/cni/plugin.ts'
import { CniFolders } from '../../support/cni-folders.ts'
import { scratchDirectory } from '../../support/scratch-directory.ts'

async function host(t: ExecutionContext, timeoutMs = 10_000) {
  const folders = await CniFolders.make(await scratchDirectory(t))
  const env = {
    PATH: '/usr/bin:/bin',
    HOME: '/root',
    LC_ALL: 'C',
    https_proxy: 'http://proxy.test',
    NO_PROXY: '10.0.0.0/8',
    NODE_OPTIONS: '--no',
    CNI_NETNS: 'stray',
    AWS_SECRET_ACCESS_KEY: 'secret',
    DOCKER_CONFIG: '/secret',
    NOTIFY_SOCKET: '/run/notify',
    PATH_TO_SECRET: '/secret',
  }
  return {
    folders,
    plugins: new PluginHost({ binDirs: ['/nowhere', folders.binDir], timeoutMs, env, clock: systemClock }),
  }
}

const subject = {
  containerId: 'c1',
  namespacePath: '/netns/c1',
  ifName: 'eth0',
  args: { IgnoreUnknown: '1', A: 'b' },
}
const add = (type: string) => ({ type, command: 'ADD', config: { name: 'n' }, subject }) as const

test('a plugin finds what it needs in its environment and its input, and nothing of ours', async (t) => {
  const { folders, plugins } = await host(t)
  await folders.script(
    'env',
    `env | grep -vE '^(PWD|OLDPWD|SHLVL|_)=' | LC_ALL=C sort | sed 's/.*/"&"/' | paste -sd, | sed 's/.*/{"env":[&]}/'`,
  )
  t.deepEqual(await plugins.call(add('env')), {
    env: [
      'CNI_ARGS=IgnoreUnknown=1;A=b',
      'CNI_COMMAND=ADD',
      'CNI_CONTAINERID=c1',
      'CNI_IFNAME=eth0',
      'CNI_NETNS=/netns/c1',
      `CNI_PATH=/nowhere:${folders.binDir}`,
      'HOME=/root',
      'LC_ALL=C',
      'NO_PROXY=10.0.0.0/8',
      'PATH=/usr/bin:/bin',
      'https_proxy=http://proxy.test',
    ],
  })
  t.deepEqual((await folders.calls())[0]?.config, { name: 'n' } as never)
})

test('an answer is asked of ADD and VERSION only', async (t) => {
  const { folders, plugins } = await host(t)
  await folders.script('quiet', 'echo hello')
  t.is(await plugins.call({ ...add('quiet'), command: 'DEL' }), undefined)
  await t.throwsAsync(plugins.call(add('quiet')), {
    message: 'CNI plugin "quiet" answered ADD with no JSON object: hello',
  })
})

test('one that is absent, a folder, or not executable is not there', async (t) => {
  const { folders, plugins } = await host(t)
  await mkdir(join(folders.binDir, 'folder'))
  await writeFile(join(folders.binDir, 'text'), 'x', { mode: 0o644 })
  for (const type of ['absent', 'folder', 'text'])
    await t.throwsAsync(plugins.call(add(type)), {
      code: 'FAILED_PRECONDITION',
      message: `CNI plugin "${type}" is not in /nowhere nor ${folders.binDir}`,
    })
})

for (const [what, script, code, message] of [
  [
    'an error of the specification',
    `echo '{"cniVersion":"1.0.0","code":11,"msg":"later","details":"busy"}'; exit 1`,
    'UNAVAILABLE',
    'CNI plugin "x" failed to ADD: later; busy (code 11)',
  ],
  [
    'an error of its own',
    `echo '{"code":123,"msg":"no   such\nbridge"}' | tr '\n' ' '; exit 2`,
    'INTERNAL',
    'CNI plugin "x" failed to ADD: no such bridge (code 123)',
  ],
  [
    'words on stderr',
    'echo oh no >&2; exit 4',
    'INTERNAL',
    'CNI plugin "x" failed to ADD: it ended with exit code 4: oh no',
  ],
  [
    'garbage and a code',
    'printf "\\001\\377[[["; exit 4',
    'INTERNAL',
    'CNI plugin "x" failed to ADD: it ended with exit code 4: ?�[[[',
  ],
  ['silence', '', 'INTERNAL', 'CNI plugin "x" answered ADD with nothing'],
  [
    'a signal',
    'echo dying >&2; kill -SEGV $$',
    'INTERNAL',
    'CNI plugin "x" was ended by SIGSEGV during ADD: dying',
  ],
  ['a hang', 'sleep 60', 'DEADLINE_EXCEEDED', 'CNI plugin "x" did not end ADD within 0.7 s and was killed'],
  [
    'a flood',
    'yes',
    'RESOURCE_EXHAUSTED',
    'CNI plugin "x" wrote more than 1048576 bytes on ADD and was killed',
  ],
] as const)
  test(`one clear sentence: ${what}`, async (t) => {
    const { folders, plugins } = await host(t, what === 'a hang' ? 700 : 20_000)
    await folders.script('x', script)
    await t.throwsAsync(plugins.call(add('x')), { code, message })
  })

test('what cannot be run as a program is told, and so is a call that is given up', async (t) => {
  const { folders, plugins } = await host(t)
  await writeFile(join(folders.binDir, 'broken'), '#!/nowhere/interpreter\n', { mode: 0o755 })
  await t.throwsAsync(plugins.call(add('broken')), { message: /^CNI plugin "broken" cannot be started: / })
  await folders.script('slow', 'sleep 60')
  await t.throwsAsync(plugins.call({ ...add('slow'), signal: AbortSignal.timeout(50) }), {
    code: 'CANCELLED',
  })
})

test('long words are shortened', async (t) => {
  const { folders, plugins } = await host(t)
  await folders.script('x', 'head -c 5000 /dev/zero | tr "\\0" a >&2; exit 1')
  const error = await t.throwsAsync(plugins.call(add('x')))
  t.true((error?.message.length ?? 0) < 400)
})

test('versions are asked once, and again when the file is another', async (t) => {
  const { folders, plugins } = await host(t)
  await folders.script('x', `echo '{"cniVersion":"1.1.0","supportedVersions":["0.4.0","1.0.0"]}'`)
  t.deepEqual(await plugins.versions('x'), ['0.4.0', '1.0.0'])
  t.deepEqual(await plugins.versions('x'), ['0.4.0', '1.0.0'])
  t.is((await folders.calls()).length, 1)
  await folders.script('x', `echo '{"cniVersion":"1.1.0","supportedVersions":["1.0.0","1.1.0"]}'; exit 0`)
  t.deepEqual(await plugins.versions('x'), ['1.0.0', '1.1.0'])
})
