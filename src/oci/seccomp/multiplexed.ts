import type { Condition } from './profile.ts'
import type { Architecture } from './syscall-numbers.ts'

/**
 * The 32-bit x86 has calls of its own for sockets and System V IPC only since Linux 4.3 and 5.1: programs make them
 * through socketcall(2) and ipc(2), whose first argument says which one is meant. So a rule for `socket` holds for
 * socketcall(1, …) as well. What the other conditions of the rule look at is then a pointer, but libseccomp keeps them
 * and profiles have been written against that.
 */
const members = {
  socketcall: `socket bind connect listen accept getsockname getpeername socketpair send recv sendto recvfrom
    shutdown setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg`,
  ipc: `semop=1 semget=2 semctl=3 semtimedop=4 msgsnd=11 msgrcv=12 msgget=13 msgctl=14 shmat=21 shmdt=22 shmget=23
    shmctl=24`,
} as const

export interface Multiplexed {
  /** The system call that programs make instead. */
  carrier: 'socketcall' | 'ipc'
  /** Its first argument. */
  selector: bigint
}

const byName = new Map<string, Multiplexed>()
for (const carrier of ['socketcall', 'ipc'] as const)
  members[carrier].split(/\s+/).forEach((word, index) => {
    const [name = '', number] = word.split('=')
    byName.set(name, { carrier, selector: BigInt(number ?? index + 1) })
  })

/** How else the call can be made on this architecture. */
export function multiplexedCall(name: string, architecture: Architecture): Multiplexed | undefined {
  return architecture === 'x86' ? byName.get(name) : undefined
}

/** The conditions of a rule for the call, as they are for its carrier. */
export function carriedConditions(
  { selector }: Multiplexed,
  conditions: readonly Condition[],
): readonly Condition[] {
  const chosen: Condition = { index: 0, operator: 'EQ', value: selector, masked: 0n }
  return [chosen, ...conditions.filter(({ index }) => index !== 0)]
}
