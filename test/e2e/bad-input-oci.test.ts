/** What people and programs get wrong at the command line: one line, the right exit code, nothing left behind. */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { Spec } from '../../src/oci/spec.ts'
import { type Bundle, busyboxSpec, makeBundle } from '../support/bundle.ts'
import { runProgram } from '../support/oci-programs.ts'
import { ociTests } from '../support/oci-tests.ts'
import { refused, tracesOf } from '../support/refused.ts'
import { skipWithout } from '../support/skip.ts'

const { programs, nextId, busyboxTest } = ociTests('bad')

const keelson = (...args: string[]) => programs.keelson.run(args)

function program(...args: string[]): Spec {
  return busyboxSpec(args, (spec) => ({ ...spec, root: { path: 'rootfs' } }))
}

const nothingLeft = (t: ExecutionContext, id: string) => t.deepEqual(tracesOf(programs.keelson, id), [])

/** A file at this place of the root file system, executable unless said otherwise. */
function put({ rootfs }: Bundle, path: string, content: Buffer | string, mode = 0o755): void {
  writeFileSync(join(rootfs, path), content)
  chmodSync(join(rootfs, path), mode)
}

busyboxTest('ids with slashes, dots, control characters, and far too long ones', async (t) => {
  using bundle = makeBundle(program('/bin/true'))
  const ids = ['../x', 'a/b', '.', '..', 'a\nb', 'a\u001b[2J', 'a b', 'ü', 'x'.repeat(1025)]
  for (const id of ids)
    for (const words of [
      ['create', '--bundle', bundle.path, '--', id],
      ['state', '--', id],
    ])
      refused(t, await keelson(...words), /is no container id|does not exist/)
  refused(
    t,
    await keelson('create', '--bundle', bundle.path, 'x'.repeat(1000)),
    /ENAMETOOLONG: file name too long/,
  )
  refused(t, await keelson('create', '--bundle', bundle.path, ''), /<container> is missing|no container id/)
})

for (const [what, content, message] of [
  ['malformed', '{"ociVersion": }', /config\.json is not JSON/],
  ['truncated', JSON.stringify(program('sh')).slice(0, -40), /config\.json is not JSON/],
  ['empty', '', /config\.json is not JSON/],
  ['a list', '[]', /the configuration: must be an object, not a list/],
  ['wrongly typed', { ...program('sh'), mounts: 'none' }, /mounts: must be a list, not the string "none"/],
  ['nested a million levels', '['.repeat(1e6), /nested deeper/],
] as const)
  busyboxTest(`a configuration that is ${what}`, async (t) => {
    using bundle = makeBundle(content)
    const id = nextId()
    for (const verb of ['create', 'run'])
      refused(t, await keelson(verb, '--bundle', bundle.path, id), message)
    nothingLeft(t, id)
  })

busyboxTest('a configuration of 100 MB costs neither memory nor time', async (t) => {
  using bundle = makeBundle('{}')
  truncateSync(join(bundle.path, 'config.json'), 100 << 20)
  const begin = Date.now()
  const script = 'ulimit -v 4000000; exec "$@"'
  const words = ['sh', programs.keelson.path, '--root', programs.keelson.stateRoot, 'create']
  refused(
    t,
    await runProgram('sh', ['-c', script, ...words, '--bundle', bundle.path, nextId()]),
    /larger than 16 MiB/,
  )
  t.true(Date.now() - begin < 10_000)
})

busyboxTest('a bundle that is not there, or without its root', async (t) => {
  const id = nextId()
  using bundle = makeBundle(program('/bin/true'))
  refused(
    t,
    await keelson('run', '--bundle', '/no/such/bundle', id),
    /\/no\/such\/bundle\/config\.json: no such file/,
  )
  rmSync(bundle.rootfs, { recursive: true })
  refused(t, await keelson('run', '--bundle', bundle.path, id), /root\.path: .* is not a directory/)
  nothingLeft(t, id)
})

busyboxTest('a bundle that vanishes after the create: the container goes on, and is deleted', async (t) => {
  const id = nextId()
  using bundle = makeBundle(program('/bin/sleep', '100'))
  t.is(await keelson('create', '--bundle', bundle.path, id).then(({ code }) => code), 0)
  rmSync(join(bundle.path, 'config.json'))
  t.like(await keelson('start', id), { code: 0, stderr: '' })
  rmSync(bundle.path, { recursive: true, force: true })
  t.like(await keelson('state', id), { code: 0 })
  t.like(await keelson('delete', '--force', id), { code: 0, stderr: '' })
  nothingLeft(t, id)
})

/** The program as it is put, what runs it, and what is said. */
const programsGoneWrong: [what: string, put: (bundle: Bundle) => void, args: string[], message: RegExp][] = [
  ['a missing one', () => {}, ['/bin/none'], /exec: "\/bin\/none": no such file or directory/],
  ['one that PATH does not have', () => {}, ['none'], /exec: "none": executable file not found in \$PATH/],
  ['a directory', () => {}, ['/bin'], /exec: "\/bin": is a directory/],
  [
    'one without exec bit',
    (bundle) => put(bundle, 'bin/plain', '#!/bin/sh\n', 0o644),
    ['/bin/plain'],
    /exec: "\/bin\/plain": permission denied/,
  ],
  [
    'one for another machine',
    (bundle) => put(bundle, 'bin/foreign', foreignProgram()),
    ['/bin/foreign'],
    /exec: "\/bin\/foreign": exec format error: it is for s390x, and this host is (x86_64|aarch64)/,
  ],
  [
    'a script whose interpreter is missing',
    (bundle) => put(bundle, 'bin/script', '#!/usr/bin/nope\n'),
    ['/bin/script'],
    /exec: "\/bin\/script": no such file or directory: the interpreter \/usr\/bin\/nope of the script is missing/,
  ],
  [
    'text without #!',
    (bundle) => put(bundle, 'bin/text', 'hello\n'),
    ['/bin/text'],
    /exec format error: it is neither ELF nor a script with #!/,
  ],
]

for (const [what, prepare, args, message] of programsGoneWrong)
  busyboxTest(`a program that cannot run: ${what}`, async (t) => {
    using bundle = makeBundle(program(...args))
    using sleeping = makeBundle(program('/bin/sleep', '100'))
    const [id, running] = [nextId(), nextId()]
    prepare(bundle)
    prepare(sleeping)
    refused(t, await keelson('run', '--bundle', bundle.path, id), message)
    nothingLeft(t, id)
    t.teardown(() => keelson('delete', '--force', running))
    t.is((await keelson('run', '--detach', '--bundle', sleeping.path, running)).code, 0)
    refused(t, await keelson('exec', running, ...args), message, 255)
    t.regex((await keelson('state', running)).stdout, /"running"/)
  })

function foreignProgram(): Buffer {
  const head = Buffer.alloc(128)
  head.writeUInt32BE(0x7f454c46, 0)
  head.set([2, 2, 1], 4) // 64 bits, big endian
  head.writeUInt16BE(2, 16)
  head.writeUInt16BE(22, 18) // EM_S390
  return head
}

busyboxTest('a container’s life in the wrong order', async (t) => {
  using bundle = makeBundle(program('/bin/sleep', '100'))
  const id = nextId()
  t.teardown(() => keelson('delete', '--force', id))
  t.is((await keelson('create', '--bundle', bundle.path, id)).code, 0)
  refused(t, await keelson('create', '--bundle', bundle.path, id), /exists already/)
  refused(t, await keelson('resume', id), /container not paused/)
  t.is((await keelson('start', id)).code, 0)
  refused(t, await keelson('start', id), /cannot start container .*: it is running/)
  refused(t, await keelson('delete', id), /cannot delete container .*: it is running/)
  refused(t, await keelson('kill', id, 'NOPE'), /unknown signal "NOPE"/)
  refused(t, await keelson('kill', id, '65'), /unknown signal "65"/)
  t.is((await keelson('kill', id, 'SIGKILL')).code, 0)
  for (let tries = 0; tries < 100; tries++)
    if ((await keelson('state', id)).stdout.includes('"stopped"')) break
  refused(t, await keelson('kill', id, 'TERM'), /container not running/)
  refused(t, await keelson('start', id), /cannot start container .*: it is stopped/)
  refused(t, await keelson('exec', id, '/bin/true'), /is stopped/, 255)
  refused(t, await keelson('pause', id), /container not running/)
  t.is((await keelson('delete', id)).code, 0)
  refused(t, await keelson('delete', id), /does not exist/)
  nothingLeft(t, id)
})

busyboxTest('a state root that cannot be written, or is a file', async (t) => {
  using bundle = makeBundle(program('/bin/true'))
  const id = nextId()
  const file = join(bundle.path, 'file')
  writeFileSync(file, '')
  refused(
    t,
    await runProgram(programs.keelson.path, ['--root', file, 'run', '--bundle', bundle.path, id]),
    /ENOTDIR|EEXIST/,
  )
  const readOnly = join(bundle.path, 'readonly')
  mkdirSync(readOnly)
  const script = 'mount -t tmpfs -o ro none "$1" && shift && exec "$@"'
  const words = ['--mount', 'sh', '-c', script, 'sh', readOnly, programs.keelson.path, '--root', readOnly]
  const { status, stderr } = spawnSync('unshare', [...words, 'run', '--bundle', bundle.path, id], {
    encoding: 'utf8',
  })
  refused(t, { code: status ?? -1, stdout: '', stderr }, /EROFS: read-only file system/)
  nothingLeft(t, id)
})

busyboxTest('a state root that is no place of containers: what is there is nobody’s to remove', async (t) => {
  using bundle = makeBundle(program('/bin/true'))
  const root = join(bundle.path, 'root')
  const put = (name: string) => {
    mkdirSync(join(root, name), { recursive: true })
    writeFileSync(join(root, name, 'precious'), '')
  }
  const inRoot = (...words: string[]) => runProgram(programs.keelson.path, ['--root', root, ...words])
  put('home')
  put('elsewhere')
  symlinkSync('elsewhere', join(root, 'link'))
  writeFileSync(join(root, 'file'), '')
  mkdirSync(join(root, 'theirs'))
  chownSync(join(root, 'theirs'), 1000, 1000)
  for (const [id, why] of [
    ['home', /is no container’s directory: it holds "precious"/],
    ['link', /exists and is no directory/],
    ['file', /exists and is no directory/],
    ['theirs', /belongs to another user \(1000\)/],
  ] as const)
    for (const words of [
      ['create', '--bundle', bundle.path],
      ['run', '--bundle', bundle.path],
      ['delete', '--force'],
    ])
      refused(t, await inRoot(...words, id), why)
  for (const name of ['home', 'elsewhere']) t.deepEqual(readdirSync(join(root, name)), ['precious'])
  t.deepEqual(readdirSync(join(root, 'theirs')), [])
})

busyboxTest('an id that is a path is refused by every command', async (t) => {
  using bundle = makeBundle(program('/bin/true'))
  const id = '../escaped'
  for (const words of [
    ['restore', '--bundle', bundle.path, '--image-path', bundle.path, id],
    ['checkpoint', '--image-path', bundle.path, id],
    ['mounts', 'add', id, join(bundle.path, 'config.json')],
    ['kill', id],
    ['start', id],
    ['delete', '--force', id],
    ['pause', id],
    ['update', '--pids-limit', '1', id],
    ['events', '--stats', id],
    ['ps', id],
  ])
    refused(t, await keelson(...words), /"..\/escaped" is no container id/)
  refused(t, await keelson('exec', id, 'true'), /"..\/escaped" is no container id/, 255)
  t.false(existsSync(join(programs.keelson.stateRoot, id)))
})

busyboxTest('a record that cannot be read hides no other container', async (t) => {
  using bundle = makeBundle(program('/bin/sleep', '100'))
  const root = join(bundle.path, 'root')
  const inRoot = (...words: string[]) => runProgram(programs.keelson.path, ['--root', root, ...words])
  const good = nextId()
  t.is((await inRoot('create', '--bundle', bundle.path, good)).code, 0)
  mkdirSync(join(root, 'bad'))
  writeFileSync(join(root, 'bad/state.json'), '{"version":')
  const listed = await inRoot('list', '--quiet')
  t.like(listed, { code: 0, stdout: `${good}\n` })
  t.regex(listed.stderr, /bad\/state\.json is not JSON/)
  refused(
    t,
    await inRoot('state', 'bad'),
    /bad\/state\.json is not JSON: it cannot be read \(end its processes and remove/,
  )
  t.is((await inRoot('delete', '--force', good)).code, 0)
})

busyboxTest(
  'a log that cannot be opened is told once; an ordinary user without a place is told where to have one',
  async (t) => {
    for (const format of ['text', 'json']) {
      const { code, stderr } = await keelson('--log', '/no/such/log', '--log-format', format, 'list')
      t.is(code, 1)
      t.is(stderr.split('\n').length, 2, stderr)
      t.regex(stderr, /open \/no\/such\/log: ENOENT: no such file or directory/)
      t.notRegex(stderr, /undefined/)
    }
    using bundle = makeBundle(program('/bin/true'))
    for (const path of [bundle.path, join(bundle.path, 'config.json')]) chmodSync(path, 0o755)
    const { path } = programs.keelson
    const told = await runProgram(path, ['run', '--bundle', bundle.path, nextId()], { uid: 65534, cwd: '/' })
    t.regex(told.stderr, /^keelson-oci: run: [^\n]*EACCES[^\n]*\(give a --root, or an XDG_RUNTIME_DIR, that/)
  },
)

const hasFreezer = existsSync('/sys/fs/cgroup/freezer/tasks')
const freezerTest = skipWithout('the freezer of cgroup v1', hasFreezer, (title, body) =>
  busyboxTest(title, async (t) => body(t)),
)

freezerTest('a cgroup path that is in use, or frozen, is refused and left as it is', async (t) => {
  const [id, group] = [nextId(), nextId()]
  const freezer = join('/sys/fs/cgroup/freezer', group)
  const spec = program('/bin/sleep', '100')
  using bundle = makeBundle({ ...spec, linux: { ...spec.linux, cgroupsPath: `/${group}/one` } })
  mkdirSync(freezer)
  t.teardown(() => {
    // What lies above a container's own groups stays, as with runc.
    for (const name of readdirSync('/sys/fs/cgroup')) {
      const above = join('/sys/fs/cgroup', name, group)
      if (existsSync(above)) rmdirSync(above)
    }
  })
  writeFileSync(join(freezer, 'freezer.state'), 'FROZEN')
  refused(
    t,
    await keelson('run', '--bundle', bundle.path, id),
    /the container’s cgroup is frozen: .*thaw it first/,
  )
  writeFileSync(join(freezer, 'freezer.state'), 'THAWED')
  t.is((await keelson('run', '--detach', '--bundle', bundle.path, id)).code, 0)
  refused(
    t,
    await keelson('run', '--bundle', bundle.path, `${id}-2`),
    /the container’s cgroup is not empty: 1 process/,
  )
  t.regex((await keelson('state', id)).stdout, /"running"/, 'whoever lives there is left alone')
  t.is((await keelson('delete', '--force', id)).code, 0)
  nothingLeft(t, id)
  nothingLeft(t, `${id}-2`)
})

busyboxTest('words that are no options, commands or arguments', async (t) => {
  refused(t, await keelson('frobnicate'), /there is no such command/, 3)
  refused(t, await keelson('state'), /<container> is missing/)
  refused(t, await keelson('state', 'a', 'b'), /one argument too many/)
  refused(t, await keelson('run', '--nope', 'a'), /there is no option --nope/)
  refused(t, await keelson('list', '--format', 'xml'), /unknown format "xml"/)
  refused(t, await keelson('--log-format', 'xml', 'list'), /unknown --log-format/)
  refused(t, await keelson('exec', '--preserve-fds', '-1', 'a', 'b'), /--preserve-fds|does not exist/, 255)
})
