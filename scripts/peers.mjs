#!/usr/bin/env node
/**
 * The programs that tests and benchmarks run beside ours: the host's own where installed, otherwise Debian's
 * packages unpacked below .cache/peers, without installing them and without starting a service.
 *
 *   node scripts/peers.mjs [NAME...]     makes those peers (default: all) available; exit 1 names what is missing
 */
import { execFile } from 'node:child_process'
import { accessSync, constants, existsSync, realpathSync } from 'node:fs'
import { chmod, readdir, symlink, writeFile } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { cache, unpackOnce } from './debian.mjs'

const podman = [
  ...['podman', 'conmon', 'catatonit', 'libassuan0', 'libcap2', 'libdevmapper1.02.1', 'libglib2.0-0'],
  ...['libgpg-error0', 'libgpgme11', 'libseccomp2', 'libsubid4', 'libsystemd0'],
]
const docker = ['docker.io', 'libcap2', 'libdevmapper1.02.1', 'libsystemd0', 'tini']

const qemu = [
  ...['qemu-system-x86', 'qemu-system-common', 'qemu-system-data', 'seabios', 'libaio1', 'libbpf1'],
  ...['libcapstone4', 'libdaxctl1', 'libfdt1', 'libfuse3-3', 'libgnutls30', 'libibverbs1', 'libjpeg62-turbo'],
  ...['libndctl6', 'libnl-3-200', 'libnl-route-3-200', 'libnuma1', 'libpixman-1-0', 'libpmem1'],
  ...['librdmacm1', 'libsasl2-2', 'libslirp0', 'liburing2', 'libvdeplug2'],
]

/** Program → the first package that brings it, what that needs besides the C library, and where it lies. */
const peers = {
  'docker-registry': { packages: ['docker-registry'], path: 'usr/bin/docker-registry' },
  busybox: { packages: ['busybox-static'], path: 'bin/busybox' },
  containerd: { packages: ['containerd'], path: 'usr/bin/containerd' },
  ctr: { packages: ['containerd'], path: 'usr/bin/ctr' },
  podman: { packages: podman, path: 'usr/bin/podman' },
  conmon: { packages: podman, path: 'usr/bin/conmon' },
  catatonit: { packages: podman, path: 'usr/bin/catatonit' },
  dockerd: { packages: docker, path: 'usr/sbin/dockerd' },
  // Of the daemon's own version, whatever other client a machine has.
  'debian-docker': { packages: docker, path: 'usr/bin/docker' },
  'docker-init': { packages: docker, path: 'usr/bin/docker-init' },
  // A hundred megabytes for the full tests: fetched when KEELSON_TEST_FULL is set, or by name.
  'qemu-system-x86_64': { packages: qemu, path: 'usr/bin/qemu-system-x86_64', isHeavy: true },
  'guest-kernel': { packages: ['linux-image-amd64'], path: 'boot/vmlinuz', isHeavy: true, isKernel: true },
  'user-mode-linux': { packages: ['user-mode-linux'], path: 'usr/bin/linux.uml' },
  'containerd-shim-runc-v2': { packages: ['containerd'], path: 'usr/bin/containerd-shim-runc-v2' },
  'cni-bridge': { packages: ['containernetworking-plugins'], path: 'usr/lib/cni/bridge' },
  iptables: {
    packages: [
      ...['iptables', 'libip4tc2', 'libip6tc2', 'libxtables12', 'libmnl0'],
      ...['libnetfilter-conntrack3', 'libnfnetlink0', 'libnftnl11'],
    ],
    path: 'usr/sbin/iptables',
    // Made by update-alternatives where the package is installed.
    link: 'xtables-nft-multi',
  },
  // 1.20, which no later kubectl replaces: it discovers and streams the old way.
  'debian-kubectl': { packages: ['kubernetes-client'], path: 'usr/bin/kubectl' },
  // Of a newer release: the one of Debian 12 does not know the vdso of kernels since 6.13. With that release's C
  // library, by whose loader it has to be started.
  criu: {
    packages: [
      ...['criu', 'libcompel1', 'libc6', 'libgcc-s1', 'libprotobuf-c1', 'libnl-3-200', 'libnet1', 'libbsd0'],
      ...['libmd0', 'libuuid1', 'libnftables1', 'libnftnl11', 'libmnl0', 'libxtables12', 'libjansson4'],
      ...['libgnutls30t64', 'libgmp10', 'libhogweed6t64', 'libnettle8t64', 'libidn2-0', 'libunistring5'],
      ...['libp11-kit0', 'libffi8', 'libtasn1-6'],
    ],
    release: 'trixie',
    path: 'criu',
    ownLoader: 'usr/sbin/criu',
  },
  runc: { packages: ['runc', 'libseccomp2'], path: 'usr/sbin/runc' },
  crun: { packages: ['crun', 'libcap2', 'libseccomp2', 'libsystemd0', 'libyajl2'], path: 'usr/bin/crun' },
}

const systemFolders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** @param {keyof typeof peers} name */
export function findPeer(name) {
  const { packages, path } = peers[name]
  // Plugins are no commands: Debian keeps them in a folder of their own.
  const installed = name.startsWith('cni-') ? [`/${path}`] : commandPaths(name)
  return [...installed, join(folderOf(packages), path)].find(isExecutable)
}

/** What an unpacked peer needs besides its path: where its libraries are. Empty for installed ones. */
export function peerEnvironment(names) {
  const paths = names.map(findPeer).filter((path) => path !== undefined)
  const libraries = paths.filter((path) => path.startsWith(cache)).flatMap(libraryFolders)
  return {
    PATH: [...new Set([...paths.map((path) => dirname(path)), ...systemFolders])].join(delimiter),
    ...(libraries.length === 0 ? {} : { LD_LIBRARY_PATH: [...new Set(libraries)].join(delimiter) }),
    ...(libraries.length === 0 ? {} : xtablesFolder(libraries)),
  }
}

/** Unpacks what is absent; returns the names that cannot be had, with the reason. */
export async function obtainPeers(names = wantedPeers()) {
  const missing = []
  for (const name of names) {
    if (findPeer(name) !== undefined) continue
    try {
      await obtain(peers[name])
    } catch (error) {
      missing.push({ name, reason: error.message })
    }
  }
  return missing
}

function wantedPeers() {
  const isFull = process.env.KEELSON_TEST_FULL === '1'
  return Object.keys(peers).filter((name) => isFull || !peers[name].isHeavy)
}

async function obtain({ packages, path, link, release, ownLoader, isKernel }) {
  const wanted = isKernel ? await kernelPackages(packages) : packages
  const folder = await unpackOnce(wanted, folderOf(packages), release)
  const program = join(folder, path)
  if (ownLoader !== undefined) await writeFile(program, underLoader(folder, ownLoader), { mode: 0o755 })
  if (isKernel) await nameKernel(program)
  if (link !== undefined && !existsSync(program)) await symlink(link, program)
  if (!isExecutable(program)) throw new Error(`/${path} is not in the package ${packages[0]}`)
}

/** A program that needs a newer C library than the host's. */
function underLoader(folder, program) {
  const libraries = libraryFolder(folder)
  const loader = { x64: 'ld-linux-x86-64.so.2', arm64: 'ld-linux-aarch64.so.1' }[process.arch] ?? ''
  return `#!/bin/sh\nexec '${join(libraries, loader)}' --library-path '${libraries}' '${join(folder, program)}' "$@"\n`
}

/** The package that everybody asks for only names the one that holds the kernel of today. */
async function kernelPackages([name]) {
  const { stdout } = await promisify(execFile)('apt-cache', ['depends', name])
  return [...stdout.matchAll(/Depends: (linux-image-\S+)/g)].map(([, found]) => found)
}

/** By a name without its version; executable, so that it is found as programs are. */
async function nameKernel(path) {
  const [found = ''] = (await readdir(dirname(path))).filter((name) => name.startsWith('vmlinuz-'))
  await chmod(join(dirname(path), found), 0o755)
  if (!existsSync(path)) await symlink(found, path)
}

const folderOf = ([first]) => join(cache, 'peers', first)

function commandPaths(name) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...systemFolders]
  return folders.filter((folder) => !folder.includes('node_modules')).map((folder) => join(folder, name))
}

function libraryFolders(path) {
  const root = join(cache, 'peers', path.slice(join(cache, 'peers').length + 1).split('/')[0])
  return [libraryFolder(root), libraryFolder(root, 'lib')].filter((folder) => existsSync(folder))
}

function libraryFolder(root, parent = 'usr/lib') {
  const triplet = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' }[process.arch] ?? ''
  return join(root, parent, triplet)
}

function xtablesFolder(libraries) {
  const folder = libraries.map((one) => join(one, 'xtables')).find((one) => existsSync(one))
  return folder === undefined ? {} : { XTABLES_LIBDIR: folder }
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const names = process.argv.slice(2)
  const unknown = names.find((name) => !(name in peers))
  const missing = unknown
    ? [{ name: unknown, reason: `known are ${Object.keys(peers).join(', ')}` }]
    : await obtainPeers(names.length > 0 ? names : undefined)
  for (const { name, reason } of missing) process.stderr.write(`peers: ${name} is missing: ${reason}\n`)
  process.exitCode = missing.length > 0 ? 1 : 0
}
