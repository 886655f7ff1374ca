import type { Clock } from '../../../base/index.ts'
import { KeelsonError } from '../../../base/index.ts'
import { BusConnection, DBusError, type Message, type Value, Variant } from '../../../dbus/index.ts'
import type { Property } from './properties.ts'

const systemd = {
  destination: 'org.freedesktop.systemd1',
  path: '/org/freedesktop/systemd1',
  interface: 'org.freedesktop.systemd1.Manager',
} as const
const jobRule = `type='signal',interface='${systemd.interface}',member='JobRemoved',path='${systemd.path}'`
const jobTimeoutMs = 30_000

/** systemd's manager object (org.freedesktop.systemd1(5)), for one errand. */
export class SystemdManager implements AsyncDisposable {
  readonly #bus: BusConnection
  readonly #clock: Clock
  /** Results of jobs by their object path: one may end before we are told which it is. */
  readonly #jobs = new Map<string, string>()
  #wake = () => {}

  static async open(address: string, clock: Clock): Promise<SystemdManager> {
    return new SystemdManager(await BusConnection.open(address), clock)
  }

  private constructor(bus: BusConnection, clock: Clock) {
    this.#bus = bus
    this.#clock = clock
  }

  /** Makes a transient unit and waits until it is there. ALREADY_EXISTS when one of that name lives. */
  async startUnit(unit: string, properties: readonly Property[], signal?: AbortSignal): Promise<void> {
    await this.#followJobs()
    const start = () =>
      this.#call('StartTransientUnit', 'ssa(sv)a(sa(sv))', [unit, 'replace', properties as Value, []], signal)
    const [job] = await start().catch(async (error: unknown) => {
      if (!isNamed(error, 'UnitExists')) throw error
      await this.resetFailed(unit) // what a failed unit of that name left behind
      return start().catch((again: unknown) => {
        if (!isNamed(again, 'UnitExists')) throw again
        throw new KeelsonError('ALREADY_EXISTS', `systemd has a unit ${unit} already`, {
          op: 'create',
          path: unit,
        })
      })
    })
    const result = await this.#jobEnd(String(job))
    if (result === 'done') return
    await this.resetFailed(unit)
    throw new KeelsonError('UNAVAILABLE', `systemd could not start ${unit}: ${result}`, {
      op: 'create',
      path: unit,
    })
  }

  /** Stops a unit and what runs in it; one that is gone is fine. */
  async stopUnit(unit: string): Promise<void> {
    await this.#followJobs()
    try {
      const [job] = await this.#call('StopUnit', 'ss', [unit, 'replace'])
      await this.#jobEnd(String(job))
    } catch (error) {
      if (!isNamed(error, 'NoSuchUnit')) throw error
    }
    await this.resetFailed(unit)
  }

  /** For as long as the unit lives. */
  async setProperties(unit: string, properties: readonly Property[]): Promise<void> {
    if (properties.length > 0)
      await this.#call('SetUnitProperties', 'sba(sv)', [unit, true, properties as Value])
  }

  async resetFailed(unit: string): Promise<void> {
    await this.#call('ResetFailedUnit', 's', [unit]).catch((error: unknown) => {
      if (!(error instanceof DBusError)) throw error
    })
  }

  /** A property of the manager, such as `Version` or `ControlGroup`. */
  async property(name: string): Promise<Value | undefined> {
    const [value] = await this.#bus.call({
      ...systemd,
      interface: 'org.freedesktop.DBus.Properties',
      member: 'Get',
      signature: 'ss',
      body: [systemd.interface, name],
    })
    return value instanceof Variant ? value.value : undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bus[Symbol.asyncDispose]()
  }

  #call(member: string, signature: string, body: readonly Value[], signal?: AbortSignal): Promise<Value[]> {
    return this.#bus.call({ ...systemd, member, signature, body }, signal)
  }

  async #followJobs(): Promise<void> {
    await this.#bus.listen(jobRule, ({ member, body }: Message) => {
      if (member !== 'JobRemoved') return
      this.#jobs.set(String(body[1]), String(body[3]))
      this.#wake()
    })
    await this.#call('Subscribe', '', []).catch((error: unknown) => {
      if (!isNamed(error, 'AlreadySubscribed')) throw error
    })
  }

  async #jobEnd(job: string): Promise<string> {
    let isLate = false
    const cancel = this.#clock.after(jobTimeoutMs, () => {
      isLate = true
      this.#wake()
    })
    while (!this.#jobs.has(job) && !isLate)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    cancel()
    return this.#jobs.get(job) ?? 'timeout'
  }
}

function isNamed(error: unknown, name: string): boolean {
  return error instanceof DBusError && error.errorName === `org.freedesktop.systemd1.${name}`
}
