/** What a program says and sees in a container of its own, made by the library. */
import { readFileSync } from 'node:fs'
import type { Container, CreateRequest, Process, Spec } from '../../src/oci/index.ts'
import type { ContainerStage } from './container.ts'

export interface Said {
  lines: string[]
  exitCode: number
}

export function createRequest(stage: ContainerStage, id: string, spec: Spec): CreateRequest {
  const rootfs = { kind: 'directory', path: stage.rootfs } as const
  return { id, spec, bundle: stage.folder, rootfs, life: { kind: 'monitored', logPath: stage.logPath(id) } }
}

/** Created, started, waited for and deleted. */
export async function runContained(stage: ContainerStage, id: string, spec: Spec): Promise<Said> {
  const container = await stage.runtime.create(createRequest(stage, id, spec))
  try {
    await container.start()
    const { exitCode } = await container.wait()
    return { lines: logLines(stage.logPath(id)), exitCode }
  } finally {
    await container.delete({ force: true })
  }
}

function logLines(path: string): string[] {
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1)
  return lines.map((line) => line.split(' ').slice(3).join(' '))
}

/** A container that does nothing, for execs; killed and deleted at the end of the scope. */
export async function idleContainer(
  stage: ContainerStage,
  id: string,
  spec: Spec,
): Promise<Container & AsyncDisposable> {
  const container = await stage.runtime.create(createRequest(stage, id, spec))
  await container.start()
  return Object.assign(container, {
    [Symbol.asyncDispose]: () => container.delete({ force: true }),
  })
}

export async function execContained(container: Container, process: Process): Promise<Said> {
  const execution = await container.exec({ process, stdio: 'pipe' })
  const texts = [execution.stdout, execution.stderr].map(async (stream) => {
    let text = ''
    for await (const chunk of stream ?? []) text += String(chunk)
    return text
  })
  const { exitCode } = await execution.wait()
  const text = (await Promise.all(texts)).join('')
  return { lines: text.split('\n').slice(0, -1), exitCode }
}

/** A shell's script in it, and all that it said. */
export async function execShell(
  container: Container,
  script: string,
): Promise<{ code: number; said: string }> {
  const process = { args: ['sh', '-c', script], cwd: '/', env: ['PATH=/bin'], user: { uid: 0, gid: 0 } }
  const { lines, exitCode } = await execContained(container, process)
  return { code: exitCode, said: lines.map((line) => `${line}\n`).join('') }
}
