import { join } from 'node:path'
import { KeelsonError } from '../base/index.ts'

/** Where a bus listens, as net.connect takes it (an abstract name begins with NUL): the first one that is a socket of this machine. */
export function socketPath(address: string): string {
  for (const one of address.split(';')) {
    const [, transport, options = ''] = /^(\w+):(.*)$/.exec(one.trim()) ?? []
    if (transport !== 'unix') continue
    const values = new Map(options.split(',').map((option) => option.split('=', 2) as [string, string]))
    const path = values.get('path')
    const abstract = values.get('abstract')
    if (path) return plainText(path)
    if (abstract) return `\0${plainText(abstract)}`
  }
  throw new KeelsonError('INVALID_ARGUMENT', `${JSON.stringify(address)} names no unix socket`, {
    hint: 'use an address such as unix:path=/run/dbus/system_bus_socket',
  })
}

function plainText(text: string): string {
  return text.replace(/%([0-9a-fA-F]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  )
}

type Environment = Readonly<Record<string, string | undefined>>

export function systemBusAddress(env: Environment): string {
  return env['DBUS_SYSTEM_BUS_ADDRESS'] || 'unix:path=/run/dbus/system_bus_socket'
}

/** The bus of a user's own systemd. */
export function userBusAddress(env: Environment, uid: number): string {
  const runtime = env['XDG_RUNTIME_DIR'] || `/run/user/${uid}`
  return env['DBUS_SESSION_BUS_ADDRESS'] || `unix:path=${join(runtime, 'bus')}`
}
