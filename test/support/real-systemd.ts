import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../src/base/index.ts'
import { subtree } from '../../src/oci/cgroup/files.ts'
import { killCgroup, readCgroupLayout, removeCgroup } from '../../src/oci/index.ts'

/**
 * A real systemd with a real message bus, as the first process of namespaces of its own, in a part of the unified
 * hierarchy that it takes for all there is. It runs none of the host's units, and may not write the host's settings.
 */
export interface RealSystemd extends AsyncDisposable {
  /** Runs a program in there; its standard output. */
  run(command: string, ...args: string[]): string
}

const program = '/usr/lib/systemd/systemd'
export const hasSystemd =
  existsSync(program) && existsSync('/usr/bin/dbus-daemon') && readCgroupLayout().v2 !== undefined

const script = `
  set -e
  echo 0 > "$0/cgroup.procs"
  exec unshare --mount --pid --fork --cgroup --uts --net --ipc --propagation private --kill-child sh -c '
    set -e
    mount -t proc proc /proc
    mount --bind /proc/sys /proc/sys
    mount -o remount,ro,bind /proc/sys
    umount -R -l /sys/fs/cgroup 2>/dev/null || true
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    mount -t tmpfs tmpfs /run
    mount -t tmpfs tmpfs /etc/systemd
    mkdir -p /run/dbus /etc/systemd/system
    cd /etc/systemd/system
    printf "[Unit]\\nDefaultDependencies=no\\nRequires=dbus.socket\\n" > keelson-test.target
    printf "[Unit]\\nDefaultDependencies=no\\n[Socket]\\nListenStream=/run/dbus/system_bus_socket\\n" > dbus.socket
    printf "[Unit]\\nDefaultDependencies=no\\n[Service]\\nType=notify\\nNotifyAccess=main\\nExecStart=/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile --systemd-activation\\n" > dbus.service
    exec ${program} --system --unit=keelson-test.target --log-target=null --show-status=0
  '`

export async function realSystemd(): Promise<RealSystemd> {
  const { v2 } = readCgroupLayout()
  const group = `${v2?.mountPoint}/kt-systemd-${process.pid}`
  mkdirSync(group)
  const unshare = spawn('sh', ['-c', script, group], {
    stdio: 'ignore',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', container: 'keelson-test' },
  })
  const init = await firstProcess(unshare)
  const enter = ['-t', String(init), '--mount', '--pid', '--cgroup', '--net', '--']
  const run = (command: string, ...args: string[]) => {
    const { status, stdout, stderr } = spawnSync('nsenter', [...enter, command, ...args], {
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr || stdout}`)
    return stdout
  }
  await ready(run)
  return {
    run,
    async [Symbol.asyncDispose]() {
      const ended = once(unshare, 'exit')
      unshare.kill('SIGKILL')
      await ended
      await killCgroup(await subtree(group))
      await removeCgroup([group], { clock: systemClock })
      rmSync(group, { recursive: true, force: true })
    },
  }
}

/** The child of unshare is what becomes systemd. */
async function firstProcess({ pid }: ChildProcess): Promise<number> {
  for (let left = 500; left > 0; left--) {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
    if (/^\d+$/.test(children) && readFileSync(`/proc/${children}/comm`, 'utf8').startsWith('systemd'))
      return Number(children)
    await sleep(10)
  }
  throw new Error('systemd did not start')
}

async function ready(run: RealSystemd['run']): Promise<void> {
  for (let left = 200; ; left--)
    try {
      run('busctl', '--system', 'status', 'org.freedesktop.systemd1')
      return
    } catch (error) {
      if (left === 0) throw error
      await sleep(50)
    }
}
