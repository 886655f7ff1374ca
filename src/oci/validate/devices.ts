import { shown } from '../shown.ts'
import type { Device, Linux } from '../spec.ts'
import { fail } from './fail.ts'

/** The kernel keeps a device number in 32 bits: twelve for the major, twenty for the minor (makedev(3)). */
const largestMajor = 2 ** 12 - 1
const largestMinor = 2 ** 20 - 1

/** config-linux.md, "Devices" and "Allowed Device list". */
export function checkDevices(linux: Linux): void {
  linux.devices?.forEach((device, index) => {
    checkDevice(device, `linux.devices[${index}]`)
  })
  linux.resources?.devices?.forEach(({ access, major, minor }, index) => {
    const at = `linux.resources.devices[${index}]`
    if (access !== undefined && !/^[rwm]*$/.test(access))
      fail(`${at}.access`, `${shown(access)} is no access`, 'use letters of rwm')
    checkNumbers({ major, minor }, at, -1)
  })
}

function checkDevice({ path, type, major, minor, fileMode }: Device, at: string): void {
  if (!path.startsWith('/')) fail(`${at}.path`, `${shown(path)} is not absolute`, 'write /dev/…')
  if (type !== 'p' && (major === undefined || minor === undefined))
    fail(at, 'major and minor are missing', 'add both numbers')
  if (type !== 'p') checkNumbers({ major, minor }, at, 0)
  if (fileMode !== undefined && (fileMode < 0 || (fileMode & 0o177777) !== fileMode))
    fail(`${at}.fileMode`, `${fileMode} is no mode`, 'write it in decimal: 438 is 0666')
}

/** `low`: -1 where a rule is for every number. */
function checkNumbers(
  { major, minor }: { major: number | undefined; minor: number | undefined },
  at: string,
  low: number,
): void {
  for (const [name, number, high] of [
    ['major', major, largestMajor],
    ['minor', minor, largestMinor],
  ] as const)
    if (number !== undefined && (number < low || number > high))
      fail(`${at}.${name}`, `${number} is no ${name} number`, `use ${low} to ${high}`)
}

/** A name that a network device can have (netdevice(7)); config-linux.md, "Network Devices". */
export function checkNetDevices({ netDevices = {} }: Linux, namespaces: ReadonlySet<string>): void {
  for (const [device, { name }] of Object.entries(netDevices)) {
    const at = `linux.netDevices[${shown(device)}]`
    if (!namespaces.has('network'))
      fail(at, 'needs a network namespace', 'add {"type": "network"} to linux.namespaces')
    for (const [path, one] of [
      [at, device],
      [`${at}.name`, name],
    ] as const)
      if (one !== undefined && one !== '' && (!/^[^/:\s]{1,15}$/.test(one) || one === '.' || one === '..'))
        fail(
          path,
          `${shown(one)} is no name of a network device`,
          'use 1 to 15 characters without / : or blanks',
        )
  }
}
