import { join } from 'node:path'
import { type CompiledPlan, compileCreate } from './compile/create.ts'
import { compileExec } from './compile/exec.ts'
import { complete, prepareCreate } from './create-container.ts'
import { createContext, type RuntimeOptions } from './create-runtime.ts'
import { execFacts } from './exec-facts.ts'
import { execInput } from './exec-process.ts'
import { formatPlan } from './plan/index.ts'
import type { CreateRequest, ExecRequest, NamespaceType } from './runtime.ts'
import { requireAlive } from './state/lifecycle.ts'
import { observe } from './state/observe.ts'
import { readConfig } from './state/record.ts'

/** What a plan gets from its starter; here nothing is open, and these stand for the descriptors. */
const names = new Map<number, string>([
  [0, 'standard input'],
  [1, 'standard output'],
  [2, 'standard error'],
])
const place = named(-1, 'state directory')
const lock = named(-2, 'lock of the container')
const target = named(-3, 'first process of the container')

/** The plan of a create as lines. Refuses what `create` would refuse before it makes anything; makes nothing. */
export async function describeCreate(options: RuntimeOptions, request: CreateRequest): Promise<string[]> {
  return describe(await planOfCreate(options, request))
}

/** The same for an exec in a container that must be there. */
export async function describeExec(
  options: RuntimeOptions,
  id: string,
  request: ExecRequest,
): Promise<string[]> {
  return describe(planOfExec(options, id, request))
}

export async function planOfCreate(options: RuntimeOptions, given: CreateRequest): Promise<CompiledPlan> {
  const context = createContext(options)
  const request = complete(context, given)
  const { input } = await prepareCreate(context, request, {
    directory: join(context.stateRoot, request.id),
    directoryFd: place,
    lockFd: lock,
    namespaceFds: joined(request),
  })
  return compileCreate(input)
}

function planOfExec(options: RuntimeOptions, id: string, request: ExecRequest): CompiledPlan {
  const context = createContext(options)
  const directory = join(context.stateRoot, id)
  const observed = observe(directory, id)
  requireAlive(observed.status, 'exec in', id)
  const stdio = request.stdio === 'pipe' ? ([0, 1, 2] as const) : request.stdio
  const input = execInput(
    context,
    observed.record,
    execFacts(context, observed.record, readConfig(directory)),
    {
      request,
      stdio,
      pidfd: target,
      goes: true,
    },
  )
  return compileExec(input)
}

function describe({ plan, inherited }: CompiledPlan): string[] {
  return formatPlan(plan, inherited.map(nameOf))
}

function joined({ spec, namespaceFds }: CreateRequest): Partial<Record<NamespaceType, number>> {
  const fds = { ...namespaceFds }
  spec.linux?.namespaces?.forEach(({ type, path }, index) => {
    if (path) fds[type as NamespaceType] ??= named(-10 - index, path)
  })
  return fds
}

function named(fd: number, name: string): number {
  names.set(fd, name)
  return fd
}

const nameOf = (fd: number) => names.get(fd) ?? `descriptor ${fd}`
