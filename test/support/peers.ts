/**
 * Programs that tests run beside ours (Debian's docker-registry, containerd, …): installed ones, or those that
 * `node scripts/peers.mjs` unpacked. A test whose peer is absent is skipped by name, never quietly.
 */
export { findPeer, obtainPeers, type PeerName, peerEnvironment } from '../../scripts/peers.mjs'
