import test from 'ava'
import { globalOptions, logSettings, readGlobals } from '../../../src/cli/oci/globals.ts'
import { parseOptions } from '../../../src/cli/parse.ts'

const root = { euid: 0, isRoot: true }
const given = (...words: string[]) => parseOptions(words, globalOptions).given
const read = (...words: string[]) => readGlobals(given(...words), { XDG_RUNTIME_DIR: '/run/user/5' }, root)

test('what containerd, podman and conmon send', (t) => {
  t.like(read('--root', '/r', '--log', '/l', '--log-format', 'json', '--debug', '--rootless', 'false'), {
    root: '/r',
    debug: true,
    rootless: false,
    cgroupManager: 'cgroupfs',
  })
  t.like(read('--cgroup-manager', 'disabled', '--rootless=true', '--criu', '/x/criu'), {
    cgroupManager: 'disabled',
    rootless: true,
    criu: '/x/criu',
  })
})

test('the state lies where runc’s would for the same user', (t) => {
  const personal = { XDG_RUNTIME_DIR: '/run/user/5' }
  t.is(read().root, '/run/keelson-oci')
  t.like(readGlobals({}, personal, { euid: 5, isRoot: false }), {
    root: '/run/user/5/keelson-oci',
    rootless: undefined, // whoever needs to know decides by the user
  })
  t.is(readGlobals({}, {}, { euid: 5, isRoot: false }).root, '/run/keelson-oci')
  const inNamespace = { euid: 0, isRoot: false }
  t.is(readGlobals({}, { ...personal, USER: 'somebody' }, inNamespace).root, '/run/user/5/keelson-oci')
  t.is(readGlobals({}, { ...personal, USER: 'root' }, inNamespace).root, '/run/keelson-oci')
})

test('the log: file, format, level', (t) => {
  t.deepEqual(logSettings(given('--log', 'file:/l', '--log-level', 'error')), {
    file: '/l',
    format: 'text',
    level: 'error',
    trace: false,
  })
  t.like(logSettings(given()), { level: 'warn' })
  t.like(logSettings(given('--debug', '--log-level', 'error')), { level: 'debug', trace: true })
})

test('each wrong word is named with the right ones', (t) => {
  for (const [words, message, hint] of [
    [['--log-format', 'xml'], /--log-format "xml"/, /text, json/],
    [['--log-level', 'loud'], /--log-level "loud"/, /error, warning/],
    [['--rootless', 'maybe'], /--rootless "maybe"/, /auto/],
    [['--cgroup-manager', 'x'], /--cgroup-manager "x"/, /cgroupfs, systemd, disabled/],
    [['--log', 'journald:x'], /files only/, /--log FILE/],
    [['--log', 'syslog:x'], /files only/, /--log FILE/],
  ] as const) {
    const error = t.throws(() => read(...words), { message })
    t.regex((error as { hint?: string }).hint ?? '', hint)
  }
})
