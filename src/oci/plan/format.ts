import { formatArgument } from './format-argument.ts'
import { barriers, noFd, type Operation, operationTable, type Plan } from './operations.ts'

/**
 * A plan as readable lines, for `--dry-run`: in an order in which it may happen, cut where one side waits for the
 * other, so that the barriers are seen.
 *
 *     parent: keelson-init
 *        0  makeDirectory      path=/sys/fs/cgroup/x mode=0755
 *        1  clone              flags=NEWNS|NEWPID cgroup=-
 *     child: the container's first process
 *        0  newSession
 *        1  signal             joined ──▶ parent
 *     parent
 *        2  await              joined ◀── child
 *
 * `inherited` names the plan's first slots; the others are named after what fills them.
 */
export function formatPlan(plan: Plan, inherited: readonly string[] = []): string[] {
  const sides: Record<SideName, Side> = {
    parent: { title: 'keelson-init', list: plan.parent, at: 0, slots: new Map(inherited.entries()) },
    child: { title: 'the container’s side', list: plan.child, at: 0, slots: new Map(inherited.entries()) },
  }
  const told = new Set<string>()
  const lines: string[] = []
  const run = (name: SideName, force = false) => {
    const text = advance(name, sides[name], told, force)
    if (text.length > 0) lines.push(heading(name, sides[name]), ...text)
    return text.length > 0
  }
  // What the parent does before it first waits includes the clone, so the child may always come second.
  while (sides.parent.at < plan.parent.length || sides.child.at < plan.child.length)
    if (![run('parent'), run('child')].includes(true)) run(isDone(sides.parent) ? 'child' : 'parent', true)
  return lines
}

type SideName = 'parent' | 'child'
interface Side {
  /** Told once. */
  title: string
  list: readonly Operation[]
  at: number
  slots: Map<number, string>
}

const isDone = ({ at, list }: Side) => at >= list.length

function heading(name: SideName, side: Side): string {
  const { title } = side
  side.title = ''
  return title === '' ? name : `${name}: ${title}`
}

/** Goes on until the side would wait; `force` passes one barrier that nobody signals. */
function advance(name: SideName, side: Side, told: Set<string>, force: boolean): string[] {
  const lines: string[] = []
  for (let mayPass = force; !isDone(side); side.at++) {
    const operation = side.list[side.at] as Operation
    if (operation.op === 'await' && !told.has(barrierKey(other(name), operation.barrier)) && !mayPass) break
    if (operation.op === 'await') mayPass = false
    if (operation.op === 'signal') told.add(barrierKey(name, operation.barrier))
    fillSlots(operation, side.slots)
    lines.push(line(name, side, operation))
  }
  return lines
}

const barrierKey = (name: SideName, barrier: number) => `${name} ${barrier}`
const other = (name: SideName): SideName => (name === 'parent' ? 'child' : 'parent')

function line(name: SideName, { at, slots }: Side, operation: Operation): string {
  const words = argumentsOf(operation).map(([argument, kind, value]) => {
    if (argument === 'barrier') return barrierText(operation.op, Number(value), other(name))
    if (kind === 'fd' || kind === 'newFd') return `${argument}=${slotText(Number(value), slots)}`
    return `${argument}=${formatArgument(operation.op, argument, value)}`
  })
  return `${String(at).padStart(6)}  ${operation.op.padEnd(18)} ${words.join(' ')}`.trimEnd()
}

function barrierText(op: string, barrier: number, far: SideName): string {
  const known = Object.entries(barriers).find(([, code]) => code === barrier)?.[0] ?? `barrier ${barrier}`
  return op === 'signal' ? `${known} ──▶ ${far}` : `${known} ◀── ${far}`
}

function slotText(slot: number, slots: ReadonlyMap<number, string>): string {
  if (slot === noFd) return '-'
  const name = slots.get(slot)
  return name === undefined ? `#${slot}` : `#${slot}[${name}]`
}

/** Named after the path or name that the operation opens, or after the argument that is filled. */
function fillSlots(operation: Operation, slots: Map<number, string>): void {
  const list = argumentsOf(operation)
  const opened = list.find(([argument]) => argument === 'path' || argument === 'name')?.[2]
  for (const [argument, kind, value] of list)
    if (kind === 'newFd') slots.set(Number(value), opened === undefined ? argument : String(opened))
}

function argumentsOf(operation: Operation): [name: string, kind: string, value: unknown][] {
  const values = operation as unknown as Record<string, unknown>
  return Object.entries<string>(operationTable[operation.op].args).map(([name, kind]) => [
    name,
    kind,
    values[name],
  ])
}
