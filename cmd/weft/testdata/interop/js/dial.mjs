// node dial.mjs ADDR tls|noise
// Dials ADDR, waits for identify, pings; reports "connected", or "refused" and why.

import { createHost, dial, emit, untilStopped } from './host.mjs'

const [addr, speak] = process.argv.slice(2)
const host = await createHost({ speak })
const identified = new Promise(resolve => host.addEventListener('peer:identify', ({ detail }) => resolve(detail)))

try {
  const connection = await dial(host, addr)
  const { agentVersion, protocols } = await identified
  const rtt = await host.services.ping.ping(connection.remotePeer)

  emit('connected', {
    id: connection.remotePeer,
    security: connection.encryption,
    muxer: connection.multiplexer,
    agent: agentVersion,
    protocols,
    rtt
  })
} catch (err) {
  emit('refused', { name: err.name, reason: err.message })
}

await untilStopped(host)
