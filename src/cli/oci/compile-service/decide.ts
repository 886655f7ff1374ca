import { resolve } from 'node:path'
import { createLogger, systemClock } from '../../../base/index.ts'
import { builtFile } from '../../../kernel/index.ts'
import { type CgroupLayout, parseCgroupLayout } from '../../../oci/cgroup/index.ts'
import { compileCreate } from '../../../oci/compile/create.ts'
import { namespaceFlags } from '../../../oci/compile/namespaces.ts'
import { validateContainerId } from '../../../oci/container-id.ts'
import type { RuntimeContext } from '../../../oci/context.ts'
import { complete, prepareCreate, warn } from '../../../oci/create-container.ts'
import { KnownFacts } from '../../../oci/exec-facts.ts'
import { readHostFacts } from '../../../oci/host-facts.ts'
import { oomScoreNotice } from '../../../oci/notices.ts'
import { encodePlan } from '../../../oci/plan/index.ts'
import type { Operation } from '../../../oci/plan/operations.ts'
import { isFirstUserNamespace } from '../../../oci/privileges.ts'
import type { CreateRequest, NamespaceType } from '../../../oci/runtime.ts'
import { Zygote } from '../../../oci/zygote.ts'
import { nameArguments, parseOptions } from '../../parse.ts'
import { checkedBundle, configOf } from '../bundle.ts'
import { type GlobalGiven, type Globals, globalOptions, logSettings, readGlobals } from '../globals.ts'
import { parseJson } from '../read-json.ts'
import type { LogSettings } from '../report.ts'
import { checkConsole, detachedLife, type StartGiven, startOf, startOptions } from '../start-options.ts'
import { handOn } from './hand-on.ts'
import type { FrontRequest } from './request.ts'
import { Witness } from './witness.ts'

/** Gets a file of the front's mount namespace. */
export type Ask = (path: string) => Promise<string>

/** Descriptors that the front opens stand in a plan by these numbers (native/front/create.c). */
const slotBase = 1 << 20
const slots = { directory: 0, lock: 1, firstNamespace: 2, count: 16 } as const
const fdOf = (slot: number) => slotBase + slot

/**
 * What `keelson-oci create` with these words does, as operations of the front. Decided by the very code of the
 * command, from what the front says of itself and from facts that it then checks. Fails where the command would fail
 * (it then does, and tells why), and where more would have to be known.
 */
export async function decideCreate(request: FrontRequest, ask: Ask): Promise<Operation[]> {
  const command = readCommand(request)
  const { given, globals, settings, container } = command
  const witness = new Witness()
  const bundlePath = resolve(request.cwd, given.bundle ?? '.')
  const config = given.config ?? configOf(bundlePath)
  if (config === '-') handOn('the configuration is read from standard input')
  const bundle = checkedBundle(
    bundlePath,
    parseJson(await ask(resolve(request.cwd, config)), config),
    witness,
  )
  const { common, spec, preserveFds } = startOf(given, bundle, request)
  if (spec.process) checkConsole(spec.process, true, given['console-socket'])
  if (spec.linux?.intelRdt) handOn('the files of resctrl are not looked at')
  const lines: string[] = []
  const log = loggerOf(settings, lines)
  const context = contextOf(request, globals, witness, log)
  const create = complete(context, {
    ...common,
    id: validateContainerId(container),
    life: detachedLife(given, preserveFds),
  })
  const joined = joinedNamespaces(create)
  const { cgroup, input } = await prepareCreate(context, create, {
    directory: resolve(request.cwd, globals.root, container),
    directoryFd: fdOf(slots.directory),
    lockFd: fdOf(slots.lock),
    namespaceFds: joined.fds,
  })
  if (cgroup) witness.unused(cgroup)
  const { plan, inherited } = compileCreate(input)
  warn(context, create, cgroup)
  return [
    ...witness.facts,
    ...joined.open,
    ...(settings.file ? [{ op: 'openLog', path: settings.file } as const] : []),
    { op: 'takeState', root: globals.root, id: container, directory: slots.directory, lock: slots.lock },
    ...lines.map((line): Operation => ({ op: 'log', line })),
    {
      op: 'startInit',
      program: builtFile('keelson-init'),
      plan: encodePlan(plan),
      inherited: new Uint8Array(Uint32Array.from(inherited).buffer),
    },
    { op: 'commitInit' },
    ...oomScoreWarning(create, settings),
    ...(given['pid-file'] === undefined ? [] : [{ op: 'writePidFile', path: given['pid-file'] } as const]),
  ]
}

interface CreateCommand {
  given: StartGiven
  globals: Globals
  settings: LogSettings
  container: string
}

function readCommand({ words, env, uid, uidMap }: FrontRequest): CreateCommand {
  const parsed = parseOptions(words, globalOptions)
  const global = parsed.given as GlobalGiven
  const [name, ...others] = parsed.rest
  if (name !== 'create' || global.help || global.version) handOn('only create is decided here')
  const isRoot = uid === 0 && isFirstUserNamespace(uidMap)
  const globals = readGlobals(global, env, { euid: uid, isRoot })
  const settings = logSettings(global)
  if (!isRoot || globals.rootless) handOn('what an ordinary user may do is not looked at')
  if (globals.cgroupManager === 'systemd') handOn('systemd is asked by Node')
  if (settings.level === 'debug') handOn('what Node does is to be told')
  const { given, rest } = parseOptions(others, startOptions)
  if (given['dry-run']) handOn('a plan is to be printed')
  const { container } = nameArguments(rest, ['container'])
  return { given: given as StartGiven, globals, settings, container: String(container) }
}

function loggerOf({ format, level }: LogSettings, lines: string[]) {
  return createLogger({
    write: (line) => void lines.push(line),
    nowMs: () => systemClock.nowMs(),
    format,
    level,
  })
}

/** The runtime as it would be in the front's process. */
function contextOf(
  { uid, gid, mountinfo, cgroup, fileLimit, env }: FrontRequest,
  globals: Globals,
  view: Witness,
  log: RuntimeContext['log'],
): RuntimeContext {
  let layout: CgroupLayout | undefined
  const v2Controllers = (mountPoint: string) => view.read(`${mountPoint}/cgroup.controllers`) ?? ''
  return {
    stateRoot: globals.root,
    instance: '',
    cgroupManager: globals.cgroupManager,
    env,
    clock: systemClock,
    log,
    get layout() {
      layout ??= parseCgroupLayout({ mountinfo, cgroup, v2Controllers, deviceAt: view.deviceAt })
      return layout
    },
    host: readHostFacts(view),
    privileges: { uid, gid, isRoot: true, subordinateUids: [], subordinateGids: [] },
    rootless: false,
    missingControllers: 'refuse',
    zygote: new Zygote(systemClock, () => handOn('nothing is started here')),
    filters: undefined, // in memory: this process decides often
    execFacts: new KnownFacts(),
    fileLimit,
  }
}

function joinedNamespaces({ spec }: CreateRequest) {
  const fds: Partial<Record<NamespaceType, number>> = {}
  const open: Operation[] = []
  for (const { type, path } of spec.linux?.namespaces ?? []) {
    const kind = type as NamespaceType
    if (!path || fds[kind] !== undefined) continue
    const to = slots.firstNamespace + open.length
    if (to >= slots.count) handOn('too many namespaces')
    fds[kind] = fdOf(to)
    open.push({ op: 'openNamespace', path, type: Number(namespaceFlags[kind]), to })
  }
  return { fds, open }
}

/** Whether it could be lowered is seen on the process alone. */
function oomScoreWarning({ spec, id }: CreateRequest, settings: LogSettings): Operation[] {
  const score = spec.process?.oomScoreAdj
  if (score === undefined) return []
  const lines: string[] = []
  const hole = '<score>'
  loggerOf(settings, lines).warn(oomScoreNotice(score, hole), { id })
  const [before = '', after = ''] = (lines[0] ?? '').split(hole)
  return before === '' ? [] : [{ op: 'warnOomScore', score: score >>> 0, before, after }]
}
