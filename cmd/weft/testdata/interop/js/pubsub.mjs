// node pubsub.mjs ADDR tls|noise TOPIC
// A gossipsub peer that knows only ADDR. Reports "ready" once ADDR's peer is
// known to be on TOPIC, then each "message". Command: {"publish": TEXT}.

import { gossipsub } from '@libp2p/gossipsub'
import { commands, createHost, dial, emit } from './host.mjs'

const [addr, speak, topic] = process.argv.slice(2)
const host = await createHost({ speak, services: { pubsub: gossipsub() } })
const { pubsub } = host.services

pubsub.addEventListener('gossipsub:message', ({ detail: { msg, propagationSource } }) => emit('message', {
  topic: msg.topic,
  text: new TextDecoder().decode(msg.data),
  author: msg.from,
  via: propagationSource,
  knows: host.getPeers()
}))

const met = new Promise(resolve => pubsub.addEventListener('subscription-change', ({ detail }) => {
  if (detail.subscriptions.some(change => change.subscribe && change.topic === topic)) {
    resolve(detail.peerId)
  }
}))

pubsub.subscribe(topic)
await dial(host, addr)
emit('ready', { id: host.peerId, met: await met })

for await (const { publish } of commands()) {
  const { recipients } = await pubsub.publish(topic, new TextEncoder().encode(publish))
  emit('published', { text: publish, recipients })
}
await host.stop()
