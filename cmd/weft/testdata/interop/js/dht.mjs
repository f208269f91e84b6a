// node dht.mjs ADDR
// Two DHT hosts that know only ADDR. Reports "joined", then what the seeker
// learns through ADDR's peer: "found" the hidden host, and "closest" to it.

import { setTimeout as pause } from 'node:timers/promises'
import { createHost, dht, dial, emit, untilStopped } from './host.mjs'

const [addr] = process.argv.slice(2)
const hidden = await createHost({ services: { dht: dht() } })
const seeker = await createHost({ services: { dht: dht() } })

const { remotePeer: node } = await dial(hidden, addr)
await dial(seeker, addr)
emit('joined', { hidden: hidden.peerId, seeker: seeker.peerId, addrs: hidden.getMultiaddrs() })

// finalPeers runs a query over the network, never from the peer store, and
// returns the peers it ends with.
async function finalPeers (query) {
  const final = []
  for await (const event of query) {
    if (event.name === 'FINAL_PEER') final.push(event.peer)
  }
  return final
}

// A DHT lists a newcomer only after it has identified and probed it, and says
// nothing when it has: so ask again until then, at most for 20 s.
async function until (done, ask) {
  const signal = AbortSignal.timeout(20_000)
  for (;;) {
    const answer = await ask({ useCache: false, signal }).catch(err => ({ err }))
    if (done(answer)) return answer
    if (signal.aborted) throw new Error('no such answer within 20 s', { cause: answer.err })
    await pause(100)
  }
}

const key = hidden.peerId.toMultihash().bytes
const [found] = await until(
  answer => answer.some?.(peer => peer.id.equals(hidden.peerId)),
  options => finalPeers(seeker.services.dht.findPeer(hidden.peerId, options)))
emit('found', found)

const closest = await until(
  answer => answer.some?.(peer => peer.id.equals(node)),
  options => finalPeers(seeker.services.dht.getClosestPeers(key, options)))
emit('closest', { ids: closest.map(peer => peer.id) })

await untilStopped(hidden, seeker)
