// node listen.mjs tls|noise
// Waits to be dialled; reports "listening", then "accepted" for each peer identified.

import { createHost, emit, untilStopped } from './host.mjs'

const [speak] = process.argv.slice(2)
const host = await createHost({ speak })

host.addEventListener('peer:identify', ({ detail }) => emit('accepted', {
  id: detail.peerId,
  security: detail.connection.encryption,
  direction: detail.connection.direction,
  agent: detail.agentVersion
}))

emit('listening', { id: host.peerId, addrs: host.getMultiaddrs() })

await untilStopped(host)
