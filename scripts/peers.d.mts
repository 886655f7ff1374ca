export type PeerName =
  | 'docker-registry'
  | 'busybox'
  | 'containerd'
  | 'ctr'
  | 'containerd-shim-runc-v2'
  | 'podman'
  | 'conmon'
  | 'catatonit'
  | 'dockerd'
  | 'debian-docker'
  | 'docker-init'
  | 'user-mode-linux'
  | 'qemu-system-x86_64'
  | 'guest-kernel'
  | 'cni-bridge'
  | 'iptables'
  | 'debian-kubectl'
  | 'criu'
  | 'runc'
  | 'crun'

/** Path of an installed or unpacked peer; undefined where it is absent. */
export function findPeer(name: PeerName): string | undefined
/** PATH and library folders for these peers and what they start. */
export function peerEnvironment(names: readonly PeerName[]): Record<string, string>
/** Unpacks what is absent; returns the names that cannot be had, with the reason. */
export function obtainPeers(names?: readonly PeerName[]): Promise<{ name: string; reason: string }[]>
