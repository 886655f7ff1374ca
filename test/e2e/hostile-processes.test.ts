/**
 * Programs in a container that lie in wait for those who join it, and for the one that made it: what a process of ours
 * is while it is inside must give them nothing.
 */
import { createHash } from 'node:crypto'
import { chmodSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { ExecutionContext } from 'ava'
import type { Container, Spec } from '../../src/oci/index.ts'
import { buildAttacker, isFull, tryUntil } from '../support/attacker.ts'
import { createRequest, execContained, idleContainer } from '../support/contained.ts'
import { type ContainerStage, containerStage, plainSpec } from '../support/container.ts'
import { serialRootTest } from '../support/root.ts'

const bound = isFull ? { tries: 10_000, seconds: 240 } : { tries: 1_000, seconds: 5 }
const program = { cwd: '/', env: ['PATH=/bin'], user: { uid: 0, gid: 0 }, noNewPrivileges: true }

function withAttacker(stage: ContainerStage): void {
  copyFileSync(buildAttacker(stage.folder), join(stage.rootfs, 'bin/attacker'))
}

/** Has the attacker at work in the container while `body` runs; what it says at its end. */
async function attacked(
  container: Container,
  what: readonly string[],
  body: () => Promise<void>,
  more: readonly string[] = [],
): Promise<string> {
  const all = [...(plainSpec([]).process?.capabilities?.bounding ?? []), ...more]
  const capabilities = { bounding: all, effective: all, permitted: all }
  const process = { ...program, args: ['attacker', ...what], capabilities }
  const attack = await container.exec({ process, stdio: 'pipe', stdin: true })
  const said = attack.stdout ? text(attack.stdout) : ''
  await body()
  attack.stdin?.end()
  await attack.wait()
  return said
}

async function execMany(t: ExecutionContext, container: Container, args: string[]): Promise<void> {
  const count = await tryUntil(bound, async () => {
    const runs = [1, 2, 3, 4].map(() => execContained(container, { ...program, args }))
    return (await Promise.all(runs)).length
  })
  t.log(`${count} execs`)
}

const breaches = (said: string) => [...new Set(said.match(/^broken .*$/gm) ?? [])]
const spied = (said: string) => Number(/seen (\d+)/.exec(said)?.[1])

/** With a user namespace of its own, whose root may trace everything in it. */
function withUsers(spec: Spec): void {
  const mappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
  Object.assign(spec.linux ?? {}, { uidMappings: mappings, gidMappings: mappings })
  spec.linux?.namespaces?.push({ type: 'user' })
}

for (const [name, change, more] of [
  ['a container of the host’s users', () => {}, []],
  [
    'a container with a user namespace',
    withUsers,
    ['CAP_SYS_PTRACE', 'CAP_SYS_ADMIN', 'CAP_DAC_READ_SEARCH'],
  ],
] as const)
  serialRootTest(
    `CVE-2016-9962: who execs into ${name} cannot be traced, and shows no descriptor or memory`,
    async (t) => {
      await using stage = await containerStage(`trace-${more.length}`)
      withAttacker(stage)
      chmodSync(stage.folder, 0o755)
      const spec = plainSpec(['sleep', '1000'], change)
      await using container = await idleContainer(stage, 'box', spec)
      const said = await attacked(container, ['trace'], () => execMany(t, container, ['true']), more)
      t.true(spied(said) > 50, `the attacker met those who joined: ${said}`)
      t.deepEqual(breaches(said), [])
    },
  )

serialRootTest(
  'CVE-2016-9962: a container that is made in a pid namespace with others shows them nothing, nor one that a program of the host’s pid namespace watches',
  async (t) => {
    await using stage = await containerStage('trace-made')
    withAttacker(stage)
    const hostPids = plainSpec(['sleep', '1000'], ({ linux }) => {
      linux.namespaces = linux.namespaces?.filter(({ type }) => type !== 'pid') ?? []
    })
    await using watcher = await idleContainer(stage, 'watcher', hostPids)
    await using shared = await idleContainer(stage, 'shared', plainSpec(['sleep', '1000']))
    const { pid } = await shared.state()
    const joining = plainSpec(['true'], ({ linux }) => {
      linux.namespaces =
        linux.namespaces?.map((one) =>
          one.type === 'pid' ? { ...one, path: `/proc/${pid}/ns/pid` } : one,
        ) ?? []
    })
    // In the host's pid namespace there are processes of others, which are no concern of this test.
    const id = `made-${process.pid}`
    const make = async (spec: Spec) => {
      const container = await stage.runtime.create(createRequest(stage, id, spec))
      await container.delete({ force: true })
      return 1
    }
    const half = { ...bound, seconds: bound.seconds / 2 }
    for (const [where, spec] of [
      [shared, joining],
      [watcher, plainSpec(['true'])],
    ] as const) {
      const said = await attacked(where, ['trace', id], async () => {
        t.log(`${await tryUntil(half, () => make(spec))} containers`)
      })
      t.true(spied(said) > 20, `the attacker met those who were made: ${said}`)
      t.deepEqual(breaches(said), [])
    }
  },
)

const hashOf = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')

serialRootTest(
  'CVE-2019-5736: /proc/self/exe as a program, and of whoever runs it, is a sealed copy that nobody can write to',
  async (t) => {
    await using stage = await containerStage('overwrite')
    withAttacker(stage)
    writeFileSync(join(stage.rootfs, 'bin/script'), '#!/proc/self/exe\n', { mode: 0o755 })
    const ours = ['build/Release/keelson-init', 'bin/keelson-oci', process.execPath]
    const before = ours.map(hashOf)
    await using container = await idleContainer(stage, 'box', plainSpec(['sleep', '1000']))
    const said = await attacked(container, ['overwrite'], async () => {
      await execMany(t, container, ['/proc/self/exe'])
      for (const entry of ['/proc/self/exe', '/bin/script']) {
        const made = await stage.runtime.create(createRequest(stage, 'entry', plainSpec([entry])))
        await made.start().catch(() => undefined)
        await made.delete({ force: true })
      }
    })
    const [, opened, written, seals] = /opened (\d+) written (\d+) seals (-?\d+)/.exec(said) ?? []
    t.true(Number(opened) > 0, `the attacker had it in its hands: ${said}`)
    t.is(Number(written), 0)
    t.is(Number(seals), 0xf, 'sealed against writing, growing, shrinking and other seals')
    t.deepEqual(ours.map(hashOf), before)
    t.is((await execContained(container, { ...program, args: ['true'] })).exitCode, 0)
  },
)
