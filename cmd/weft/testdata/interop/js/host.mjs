// A js-libp2p host, and the way the scripts talk to the Go test that starts them:
// one JSON object a line on stdout, one a line on stdin, end of stdin means stop.

import './polyfill.mjs'
import { createInterface } from 'node:readline'
import { noise } from '@chainsafe/libp2p-noise'
import { identify } from '@libp2p/identify'
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

const security = { tls, noise }

// createHost listens on loopback and knows one security protocol only, so a
// connection proves which one was spoken.
export function createHost ({ speak = 'tls', services = {} } = {}) {
  return createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [security[speak]()],
    streamMuxers: [yamux()],
    services: { identify: identify(), ping: ping(), ...services }
  })
}

// dht is Kademlia as weft speaks it in its default network. The mapper keeps
// loopback addresses, which js-libp2p drops by default.
export const dht = () => kadDHT({
  protocol: '/weft/weft/kad/1.0.0',
  clientMode: false,
  peerInfoMapper: passthroughMapper
})

export const dial = (host, addr) => host.dial(multiaddr(addr), { signal: AbortSignal.timeout(10_000) })

export const emit = (event, fields = {}) => console.log(JSON.stringify({ event, ...fields }))

export async function * commands () {
  for await (const line of createInterface({ input: process.stdin })) {
    yield JSON.parse(line)
  }
}

// untilStopped keeps the hosts up until stdin ends.
export async function untilStopped (...hosts) {
  for await (const _ of commands()) { /* no command is known here */ }
  await Promise.all(hosts.map(host => host.stop()))
}
