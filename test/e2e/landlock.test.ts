/** Landlock behind its annotation: what a program that nothing else would stop cannot do any more. */

import { landlockAbi } from '../../src/kernel/index.ts'
import type { Spec } from '../../src/oci/index.ts'
import { landlockAnnotation } from '../../src/oci/landlock.ts'
import { execContained, idleContainer, runContained } from '../support/contained.ts'
import { containerStage, plainSpec } from '../support/container.ts'
import { rootTest } from '../support/root.ts'

const abi = landlockAbi()

type Change = NonNullable<Parameters<typeof plainSpec>[1]>

function confined(script: string, policy: unknown, change: Change = () => {}): Spec {
  return plainSpec(['sh', '-c', script], (spec) => {
    spec.annotations = { [landlockAnnotation]: JSON.stringify(policy) }
    change(spec)
  })
}

const readOnly = {
  ruleset: { handledAccessFS: ['all'] },
  rules: {
    pathBeneath: [
      { allowedAccess: ['read', 'execute'], paths: ['/'] },
      { allowedAccess: ['write_file'], paths: ['/dev/null', '/not/there'] },
      { allowedAccess: ['all'], paths: ['/tmp'] },
    ],
  },
}
const writes = [
  'echo a > /tmp/mine && echo tmp may',
  'echo a 2>&1 > /root/file || echo root may not',
  'mkdir /root/folder 2>/dev/null || echo no folder',
  'echo a > /dev/null && echo null may',
  'cat /etc/passwd > /dev/null && echo reads',
].join('; ')
const verdicts = ['tmp may', 'root may not', 'no folder', 'null may', 'reads']
const withoutNoise = (lines: string[]) => lines.filter((line) => !/Permission denied|can't create/.test(line))

rootTest(
  'a tree that can only be read, but for one directory: by init and by an exec, whoever they are',
  async (t) => {
    if (abi < 3) return void t.log(`SKIPPED: Landlock of this kernel is version ${abi}`)
    await using stage = await containerStage('landlock')
    for (const noNewPrivileges of [true, false])
      for (const uid of [0, 1000]) {
        const change: Change = ({ process, mounts }) => {
          process.noNewPrivileges = noNewPrivileges
          process.user = { uid, gid: uid }
          mounts?.push({ destination: '/tmp', type: 'tmpfs', options: ['mode=1777'] })
          mounts?.push({ destination: '/root', type: 'tmpfs', options: ['mode=1777'] })
        }
        const spec = confined(writes, readOnly, change)
        const id = `box-${uid}-${noNewPrivileges}`
        const { lines } = await runContained(stage, id, spec)
        t.deepEqual(withoutNoise(lines), verdicts, id)
        await using idle = await idleContainer(stage, 'idle', confined('sleep 100', readOnly, change))
        if (!spec.process) throw new Error('no process')
        const said = await execContained(idle, spec.process)
        t.deepEqual(withoutNoise(said.lines), verdicts, `${id}, exec`)
      }
  },
)

rootTest('ports: a connection and a socket that are not allowed are refused', async (t) => {
  if (abi < 4) return void t.log(`SKIPPED: Landlock of this kernel is version ${abi}`)
  await using stage = await containerStage('landnet')
  const policy = { rules: { netPort: [{ allowedAccess: ['all'], ports: [4444] }] } }
  // Denied is not refused: nobody listens, so what is allowed says "Connection refused".
  const script = [
    'busybox nc -w 1 127.0.0.1 4444 2>&1',
    'busybox nc -w 1 127.0.0.1 4445 2>&1',
    'busybox nc -l -p 4445 -w 1 2>&1',
    'busybox ip link set lo up 2>/dev/null',
  ]
  const { lines } = await runContained(stage, 'net', confined(script.join('; '), policy))
  t.regex(lines[0] ?? '', /refused|unreachable/)
  t.regex(lines[1] ?? '', /Permission denied/)
  t.regex(lines[2] ?? '', /Permission denied/)
})

rootTest('scope: a program cannot signal what is outside of its domain', async (t) => {
  if (abi < 6) return void t.log(`SKIPPED: Landlock of this kernel is version ${abi}`)
  await using stage = await containerStage('landscope')
  const policy = { ruleset: { scoped: ['signal'] } }
  const loose = plainSpec(['sleep', '100'])
  await using idle = await idleContainer(stage, 'idle', {
    ...loose,
    annotations: { [landlockAnnotation]: JSON.stringify(policy) },
  })
  const args = ['sh', '-c', 'kill -0 1 || echo cannot; sleep 9 & kill -9 $! && echo own']
  if (!loose.process) throw new Error('no process')
  const { lines } = await execContained(idle, { ...loose.process, args })
  t.deepEqual(
    lines.filter((line) => !line.includes('permitted')),
    ['cannot', 'own'],
  )
})

rootTest('a path that has to be there, and is not, fails the creation', async (t) => {
  if (abi < 5) return void t.log(`SKIPPED: Landlock of this kernel is version ${abi}`)
  await using stage = await containerStage('landmiss')
  const policy = { ...readOnly, disableBestEffort: true }
  await t.throwsAsync(runContained(stage, 'miss', confined('true', policy)), {
    message: /allowPath: openat2 \/not\/there: ENOENT/,
  })
})
