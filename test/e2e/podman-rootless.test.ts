/** Podman of an ordinary user, with a runtime that is found by containers.conf: no cgroups, ids of /etc/subuid. */
import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import test from 'ava'
import { busyboxName } from '../support/busybox-image.ts'
import { engineTests } from '../support/engine-test.ts'
import { ociPrograms, type Programs } from '../support/oci-programs.ts'
import { findPeer } from '../support/peers.ts'
import { type PodmanHost, podmanPeers, startPodmanHost } from '../support/podman-host.ts'

const { present, engineTest } = engineTests(podmanPeers)
const uid = 4242
const runtimeFolder = `/run/user/${uid}`
const home = '/var/lib/ordinary'
let programs: Programs
let engine: PodmanHost
test.before(async () => {
  if (!present) return
  programs = await ociPrograms()
  engine = await startPodmanHost(programs.keelson.path)
  const { folder } = engine.host
  const { code, stderr } = await engine.host.shell(`set -e
    echo 'ordinary:x:${uid}:${uid}::${home}:/bin/sh' >> /etc/passwd
    echo 'ordinary:x:${uid}:' >> /etc/group
    echo 'ordinary:300000:65536' > /etc/subuid
    echo 'ordinary:300000:65536' > /etc/subgid
    mkdir -p ${runtimeFolder} ${home}
    cp ${folder}/busybox.tar ${folder}/containers.conf ${runtimeFolder}
    chmod 644 ${runtimeFolder}/*
    chmod o+x ${folder} # where conmon is, which podman would look for elsewhere
    chown ${uid}:${uid} ${runtimeFolder} ${home}
    ${openedFolders(findPeer('podman') ?? '')}`)
  if (code !== 0) throw new Error(stderr)
})
test.after.always(async () => {
  await engine?.[Symbol.asyncDispose]()
  await programs?.[Symbol.asyncDispose]()
})

/** A checkout in root's home is nobody else's to look into: on this machine of its own, those folders are opened. */
function openedFolders(path: string): string {
  const above = [...ancestors(path)].reverse()
  const closed = above.filter((folder) => (statSync(folder).mode & 0o001) === 0)
  return closed.map((folder, index) => openFolder(folder, `/run/opened-${index}`)).join('\n')
}

function* ancestors(path: string): Generator<string> {
  for (let folder = dirname(path); folder !== '/'; folder = dirname(folder)) yield folder
}

function openFolder(folder: string, layer: string): string {
  const [upper, work] = [`${layer}/upper`, `${layer}/work`]
  const mount = `mount -t overlay overlay -o lowerdir=${folder},upperdir=${upper},workdir=${work} ${folder}`
  return `mkdir -p ${upper} ${work}; ${mount}; chmod o+x ${folder}`
}

const asUser = (script: string) =>
  engine.host.run('setpriv', [`--reuid=${uid}`, `--regid=${uid}`, '--init-groups', 'sh', '-c', script], {
    env: {
      HOME: home,
      USER: 'ordinary',
      XDG_RUNTIME_DIR: runtimeFolder,
      CONTAINERS_CONF: `${runtimeFolder}/containers.conf`,
    },
  })

const podman = (words: string) =>
  asUser(`cd ${home}; podman --events-backend=file --storage-driver=overlay ${words}`)

const flags = '--network=none --ulimit nofile=20000:20000 --ulimit nproc=4096:4096'

engineTest('an ordinary user runs, execs, stops and removes; codes are true', async (t) => {
  const closed = closedToOthers(dirname(programs.keelson.path))
  if (closed !== undefined) {
    t.log(`not shown: the checkout lies below ${closed}, which is closed to others`)
    return void t.pass()
  }
  const loaded = await podman(`load --input ${runtimeFolder}/busybox.tar`)
  t.is(loaded.code, 0, loaded.stderr)
  const ran = await podman(`run --rm ${flags} ${busyboxName} sh -c 'id -u; cat /proc/self/uid_map; exit 5'`)
  t.is(ran.code, 5, ran.stderr)
  t.regex(ran.stdout, /^0\n +0 +4242 +1\n +1 +300000 +65536\n$/)
  const script = 'trap "exit 9" TERM; while :; do sleep 0.05; done'
  const started = await podman(`run --detach --name one ${flags} ${busyboxName} sh -c '${script}'`)
  t.is(started.code, 0, started.stderr)
  t.like(await podman(`exec one sh -c 'id -u; exit 6'`), { code: 6, stdout: '0\n' })
  t.like(await podman('stop one'), { code: 0 })
  t.like(await podman('wait one'), { stdout: '9\n' })
  t.like(await podman('rm one'), { code: 0 })
})

/** The first folder on the way that others may not pass. */
function closedToOthers(folder: string): string | undefined {
  const above = folder === '/' ? undefined : closedToOthers(dirname(folder))
  return above ?? (isOpen(folder) ? undefined : folder)
}

function isOpen(folder: string): boolean {
  return (statSync(folder).mode & 0o001) !== 0
}
