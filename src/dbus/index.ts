/** A small D-Bus client: what talking to systemd takes. */
export * from './address.ts'
export { type Value, Variant } from './codec.ts'
export { BusConnection, DBusError, type MethodCall } from './connection.ts'
export type { Message } from './message.ts'
