/** Hooks that do not behave, by the real command line: what is told, and that nothing is left. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Hook, Spec } from '../../src/oci/spec.ts'
import { eventually } from '../support/eventually.ts'
import { bundleWith, leftovers, processesNamed, script } from '../support/hooked-bundle.ts'
import { ociTests } from '../support/oci-tests.ts'

const { programs, nextId, busyboxTest: hookTest } = ociTests('badhook')

/** Nobody else's: tests run at the same time. */
let sleeps = 0
const uniqueSleep = () => `sleep ${100_000_000 + process.pid * 100 + sleeps++}`

interface Failing {
  hook: Hook
  /** After the JSON path of the hook. */
  message: RegExp
}

const failing = (sleep: string): Readonly<Record<string, Failing>> => ({
  'fails, with the end of what it said': {
    hook: script('echo out; echo why >&2; exit 3'),
    message: /\/bin\/sh: exit status 3: why\n$/,
  },
  'is killed': { hook: script('kill -9 $$'), message: /\/bin\/sh: ended by signal 9\n$/ },
  hangs: {
    hook: script(`echo begun >&2; ${sleep} & ${sleep}`, { timeout: 1 }),
    message: /\/bin\/sh: no end within its 1 s, so it was killed: begun\n$/,
  },
  'does not exist': {
    hook: { path: '/no/such' },
    message: /exec "\/no\/such": no such file or directory\n$/,
  },
  'is a directory': { hook: { path: '/bin' }, message: /exec "\/bin": is a directory\n$/ },
  'floods standard error': {
    hook: script('yes flood >&2', { timeout: 1 }),
    message: /killed: (o?o?d|l?ood)?(\\n| |flood)*/,
  },
})

for (const stage of ['prestart', 'createRuntime', 'createContainer'] as const)
  hookTest(
    `a ${stage} hook that does not behave fails create, and nothing is left but poststop`,
    async (t) => {
      const sleep = uniqueSleep()
      for (const [what, { hook, message }] of Object.entries(failing(sleep))) {
        using bundle = bundleWith(({ path }) => ({
          [stage]: [script('exit 0'), hook],
          poststop: [script(`cat > ${path}/out/ended`)],
        }))
        const id = nextId()
        const { code, stderr } = await programs.keelson.run(['create', '--bundle', bundle.path, id])
        t.is(code, 1, what)
        t.true(
          stderr.startsWith(`keelson-oci: create: hooks.${stage}[1]: `),
          `${what}: ${stderr.slice(0, 200)}`,
        )
        t.regex(stderr, message, what)
        t.true(stderr.length < 4000 && stderr.split('\n').length === 2, 'one line, bounded')
        t.deepEqual(leftovers(programs.keelson, bundle, id), [], what)
        t.is(JSON.parse(readFileSync(join(bundle.path, 'out/ended'), 'utf8')).status, 'stopped')
      }
      t.deepEqual(processesNamed(sleep), [], 'what a hook started ends with it')
    },
  )

hookTest('hooks that are rude but end well do no harm', async (t) => {
  const rude = [
    script('exec <&-; exit 0'), // closes its standard input at once
    script('yes | head -c 30000000'), // floods standard output
    script('head -c 3000000 /dev/zero >&2'),
    script('setsid sleep 1 & exit 0'), // leaves somebody behind with its descriptors
  ]
  using bundle = bundleWith(() => ({
    createRuntime: rude,
    createContainer: rude,
    poststart: rude,
    poststop: rude,
  }))
  const { code, stdout, stderr } = await programs.keelson.run(['run', '--bundle', bundle.path, nextId()])
  t.deepEqual([code, stdout, stderr], [0, 'program\n', ''])
})

hookTest('a hook that kills its parent fails create, and nothing is left', async (t) => {
  const sleep = uniqueSleep()
  for (const stage of ['prestart', 'createRuntime'] as const) {
    using bundle = bundleWith(() => ({ [stage]: [script(`kill -9 $PPID; exec ${sleep}`)] }))
    const id = nextId()
    const { code, stderr } = await programs.keelson.run(['create', '--bundle', bundle.path, id])
    t.is(code, 1)
    t.regex(stderr, /^keelson-oci: create: .*keelson-init ended without an answer\n$/)
    await eventually('nothing is left', async () => leftovers(programs.keelson, bundle, id).length === 0)
  }
  // In the container its parent is the init of a pid namespace, which the kernel protects from its own.
  using bundle = bundleWith(() => ({ createContainer: [script('kill -9 $PPID; exit 0')] }))
  t.is((await programs.keelson.run(['run', '--bundle', bundle.path, nextId()])).code, 0)
  t.deepEqual(processesNamed(sleep), [])
})

hookTest('a startContainer hook that fails ends the container, and the program never runs', async (t) => {
  for (const [what, { hook, message }] of Object.entries(failing(uniqueSleep()))) {
    using bundle = bundleWith(() => ({ startContainer: [hook] }))
    const id = nextId()
    await programs.keelson.run(['create', '--bundle', bundle.path, id])
    const { code, stderr, stdout } = await programs.keelson.run(['start', id])
    t.deepEqual([code, stdout], [1, ''], what)
    t.true(
      stderr.startsWith('keelson-oci: start: hooks.startContainer[0]: '),
      `${what}: ${stderr.slice(0, 200)}`,
    )
    t.regex(stderr, message, what)
    const { status } = JSON.parse((await programs.keelson.run(['state', id])).stdout)
    t.is(status, 'stopped', what)
    t.is((await programs.keelson.run(['delete', id])).code, 0)
    t.deepEqual(leftovers(programs.keelson, bundle, id), [], what)
  }
})

hookTest(
  'a poststart hook that fails fails start and ends the container; one of poststop is a warning',
  async (t) => {
    for (const pid of [true, false]) {
      const sleep = uniqueSleep()
      const shared = (spec: Spec): Spec => ({
        ...spec,
        process: { cwd: '/', ...spec.process, args: ['/bin/sh', '-c', `${sleep} & ${sleep}`] },
        linux: {
          ...spec.linux,
          namespaces: spec.linux?.namespaces?.filter(({ type }) => pid || type !== 'pid') ?? [],
        },
      })
      using bundle = bundleWith(
        ({ path }) => ({
          poststart: [script('exit 0'), script('echo no >&2; exit 4'), script(`touch ${path}/out/third`)],
          poststop: [script('exit 5'), script(`touch ${path}/out/second`)],
        }),
        shared,
      )
      const id = nextId()
      await programs.keelson.run(['create', '--bundle', bundle.path, id])
      const { code, stderr } = await programs.keelson.run(['start', id])
      t.is(code, 1)
      t.is(stderr, 'keelson-oci: start: hooks.poststart[1]: /bin/sh: exit status 4: no\n')
      t.false(existsSync(join(bundle.path, 'out/third')))
      t.is(JSON.parse((await programs.keelson.run(['state', id])).stdout).status, 'stopped')
      t.deepEqual(processesNamed(sleep), [], 'all of it has ended')
      const deleted = await programs.keelson.run(['delete', id])
      t.is(deleted.code, 0)
      t.regex(deleted.stderr, /hooks\.poststop\[0\]: \/bin\/sh: exit status 5/)
      t.true(existsSync(join(bundle.path, 'out/second')))
      t.deepEqual(leftovers(programs.keelson, bundle, id), [])
    }
  },
)
