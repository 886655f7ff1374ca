import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { abortable, type Clock, KeelsonError, systemClock } from '../../base/index.ts'
import type { RegistryAuth } from '../image-store.ts'

interface Question {
  /** `pass` for the program `docker-credential-pass`. */
  name: string
  /** What the helper knows the registry by. */
  server: string
  environment: Readonly<Record<string, string | undefined>>
  timeoutMs: number
  clock?: Clock
}

const maxAnswerBytes = 1024 * 1024

/**
 * Asks `docker-credential-NAME get`, which reads the server from stdin and writes JSON to stdout. Undefined when it
 * has nothing for this server. FAILED_PRECONDITION when there is no such program or it fails, DEADLINE_EXCEEDED when
 * it takes too long; it is killed then.
 */
export async function askCredentialHelper(question: Question): Promise<RegistryAuth | undefined> {
  const { name, server } = question
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(name)) throw failed(name, 'that is no name of a program')
  const { exitCode, output, errors } = await run(`docker-credential-${name}`, question)
  if (exitCode !== 0) {
    const said = `${output} ${errors}`
    // The protocol's own words for it: there is no code.
    if (/credentials not found in native keychain/i.test(said)) return undefined
    throw failed(name, said.replace(/\s+/g, ' ').trim().slice(0, 300) || `exit code ${exitCode}`)
  }
  return readAnswer(output) ?? refuseAnswer(name, server)
}

/** `<token>` as user name means that the secret is an identity token. */
function readAnswer(output: string): RegistryAuth | undefined {
  try {
    const { Username: username, Secret: secret } = JSON.parse(output)
    if (typeof username !== 'string' || typeof secret !== 'string') return undefined
    return username === '<token>' ? { identityToken: secret } : { username, password: secret }
  } catch {
    return undefined
  }
}

async function run(
  program: string,
  { name, server, environment, timeoutMs, clock = systemClock }: Question,
): Promise<{ exitCode: number; output: string; errors: string }> {
  const child = spawn(program, ['get'], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...environment },
    detached: true,
  })
  const late = new AbortController()
  const tooLate = new KeelsonError(
    'DEADLINE_EXCEEDED',
    `the credential helper ${program} takes longer than ${timeoutMs} ms`,
  )
  const cancel = clock.after(timeoutMs, () => late.abort(tooLate))
  try {
    child.stdin.on('error', () => undefined) // it may not want to know
    child.stdin.end(`${server}\n`)
    const work = Promise.all([once(child, 'close'), read(child.stdout), read(child.stderr)])
    const [[exitCode], output, errors] = await abortable(work, late.signal)
    return { exitCode: typeof exitCode === 'number' ? exitCode : -1, output, errors }
  } catch (error) {
    kill(child)
    if (error instanceof KeelsonError) throw error
    throw failed(name, error instanceof Error ? error.message : String(error))
  } finally {
    cancel()
  }
}

async function read(stream: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of stream) {
    size += part.length
    if (size > maxAnswerBytes) throw new Error(`it writes more than ${maxAnswerBytes} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

/** With whatever it has started. */
function kill(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    child.kill('SIGKILL')
  }
}

function failed(name: string, why: string): KeelsonError {
  return new KeelsonError(
    'FAILED_PRECONDITION',
    `the credential helper docker-credential-${name} failed: ${why}`,
    {
      hint: 'log in to the registry again, or correct the file of credentials',
    },
  )
}

function refuseAnswer(name: string, server: string): never {
  throw failed(name, `its answer for ${server} is not the JSON it should be`)
}
