/** SCMP_ACT_NOTIFY: the agent gets the listener, before the program has made its first call, in every kind of life. */
import { existsSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { ExecutionContext } from 'ava'
import type { CreateRequest, Seccomp, Spec } from '../../src/oci/index.ts'
import { type ContainerStage, containerStage, plainSpec } from '../support/container.ts'
import { rootTest } from '../support/root.ts'
import { type SeccompAgent, seccompAgent } from '../support/seccomp-agent.ts'

const script = `
mkdir /tmp/denied; echo denied $?
mkdir /tmp/faked; echo faked $?
mkdir /tmp/real; echo real $?
ls /tmp`
const answers = ['denied 1', 'faked 0', 'real 0', 'real']

function profile(agent: Pick<SeccompAgent, 'path'>, names: string[], more: Partial<Seccomp> = {}): Seccomp {
  return {
    defaultAction: 'SCMP_ACT_ALLOW',
    listenerPath: agent.path,
    listenerMetadata: 'an "agent"',
    syscalls: [{ names, action: 'SCMP_ACT_NOTIFY' }],
    ...more,
  }
}

type PlainSpec = Parameters<NonNullable<Parameters<typeof plainSpec>[1]>>[0]

const withSeccomp = (args: string[], seccomp: Seccomp, change: (spec: PlainSpec) => void = () => {}) =>
  plainSpec(args, (spec) => {
    spec.linux.seccomp = seccomp
    spec.annotations = { color: 'blue' }
    change(spec)
  })

async function withAgent(
  t: ExecutionContext,
  name: string,
  body: (stage: ContainerStage, agent: SeccompAgent) => Promise<void>,
): Promise<void> {
  await using stage = await containerStage(name)
  await using agent = await seccompAgent(stage.folder)
  if (!agent) return t.fail('no C compiler: cc (Debian: gcc) is needed')
  await body(stage, agent)
}

function request(stage: ContainerStage, id: string, spec: Spec, life?: CreateRequest['life']): CreateRequest {
  const rootfs = { kind: 'directory', path: stage.rootfs } as const
  return { id, spec, bundle: '/', rootfs, life: life ?? { kind: 'monitored', logPath: stage.logPath(id) } }
}

async function output(
  stage: ContainerStage,
  id: string,
  spec: Spec,
): Promise<{ lines: string[]; pid: number }> {
  const container = await stage.runtime.create(request(stage, id, spec))
  const { pid } = await container.state()
  await container.start()
  await container.wait()
  await container.delete()
  const lines = readFileSync(stage.logPath(id), 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split(' ').slice(3).join(' '))
  return { lines: lines.filter((line) => !line.includes("can't create")), pid }
}

rootTest(
  'a call fails, pretends to work and goes on as the agent says; the agent knows whom it answers',
  (t) =>
    withAgent(t, 'notify', async (stage, agent) => {
      const spec = withSeccomp(['sh', '-c', script], profile(agent, ['mkdir', 'mkdirat']))
      const { lines, pid } = await output(stage, 'one', spec)
      t.deepEqual(lines, answers)
      const { state, ...message } = await agent.message()
      t.deepEqual(message, { ociVersion: '1.2.0', fds: ['seccompFd'], pid, metadata: 'an "agent"' } as never)
      t.deepEqual(state, {
        ociVersion: '1.2.0',
        id: 'one',
        status: 'created',
        pid,
        bundle: '/',
        annotations: { color: 'blue' },
      })
    }),
)

rootTest(
  'so it is with privileges (the filter comes before the user), with a user, and with crun’s annotation',
  (t) =>
    withAgent(t, 'notifyuser', async (stage, agent) => {
      const { listenerPath: _path, listenerMetadata: _metadata, ...bare } = profile(agent, ['mkdir'])
      for (const [id, noNewPrivileges, uid] of [
        ['root', false, 0],
        ['user', true, 1000],
        ['late', false, 1000],
      ] as const) {
        const spec = withSeccomp(
          ['sh', '-c', 'mkdir /tmp/faked && echo made; id -u'],
          bare,
          ({ process }) => {
            process.noNewPrivileges = noNewPrivileges
            process.user = { uid, gid: uid }
          },
        )
        spec.annotations = { 'run.oci.seccomp.receiver': agent.path }
        t.deepEqual((await output(stage, id, spec)).lines, ['made', String(uid)], id)
        t.false('metadata' in (await agent.message()))
      }
    }),
)

rootTest('an exec has a listener of its own', (t) =>
  withAgent(t, 'notifyexec', async (stage, agent) => {
    const spec = withSeccomp(['sleep', '100'], profile(agent, ['mkdir']))
    const container = await stage.runtime.create(request(stage, 'one', spec))
    await container.start()
    const first = await agent.message()
    const process = { cwd: '/', ...spec.process, args: ['sh', '-c', script] }
    const execution = await container.exec({ process, stdio: 'pipe' })
    const [stdout] = await Promise.all([text(execution.stdout as Readable), execution.wait()])
    t.deepEqual(stdout.split('\n').slice(0, -1), answers)
    const { pid, state } = await agent.message()
    t.is(pid, execution.pid)
    t.not(pid, first.pid)
    t.like(state, { status: 'running', id: 'one', pid })
  }),
)

rootTest('no call is off limits: also those that a runtime would need to hand the listener over', (t) =>
  withAgent(t, 'notifyall', async (stage, agent) => {
    const names = ['write', 'read', 'sendmsg', 'recvmsg', 'execve', 'close', 'futex', 'exit_group', 'mkdir']
    const spec = withSeccomp(['sh', '-c', script], profile(agent, names))
    t.deepEqual((await output(stage, 'named', spec)).lines, answers)
    const all: Seccomp = { ...profile(agent, []), defaultAction: 'SCMP_ACT_NOTIFY', syscalls: [] }
    t.deepEqual(
      (await output(stage, 'default', withSeccomp(['sh', '-c', 'rmdir /tmp/real; echo hi'], all))).lines,
      ['hi'],
    )
  }),
)

rootTest('detached: nobody of ours is left at the start, and the agent still gets it', (t) =>
  withAgent(t, 'notifydetached', async (stage, agent) => {
    const file = join(stage.folder, 'out')
    const fd = openSync(file, 'w')
    const spec = withSeccomp(['sh', '-c', script], profile(agent, ['mkdir']))
    const container = await stage.runtime.create(
      request(stage, 'one', spec, { kind: 'detached', stdio: [0, fd, fd] }),
    )
    const { pid } = await container.state()
    await container.start()
    t.is((await agent.message()).pid, pid)
    await container.wait()
    t.true(readFileSync(file, 'utf8').endsWith('real\n'))
  }),
)

rootTest(
  'nobody at the socket: the create fails before there is a process, and says which socket',
  async (t) => {
    await using stage = await containerStage('notifynone')
    const missing = join(stage.folder, 'nobody.sock')
    const spec = withSeccomp(['true'], profile({ path: missing }, ['mkdir']))
    await t.throwsAsync(stage.runtime.create(request(stage, 'one', spec)), {
      message: /cannot connect to .*nobody\.sock: no such file/,
    })
    t.false(existsSync(join(stage.folder, 'state/one')))
  },
)
