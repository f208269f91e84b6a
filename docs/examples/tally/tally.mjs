// Decides which entries of a shared sum are valid, with nothing but HTTP and Node's
// standard library (Node 18 or newer):
//
//   weft run --object-topic tally,external
//   node docs/examples/tally/tally.mjs [http://127.0.0.1:30304]
//   weft object put tally '{"add": 5, "total": 5}'
//   weft object put tally '{"add": 7, "total": 12}' --dep bafkrei…   # the one before
//
// An entry adds to the one that it depends on, and says what that makes. Whether it is
// right follows from the two of them alone, so every node decides alike, at any time.

import { setTimeout as sleep } from 'node:timers/promises'

const topic = 'tally'
const again = 1000 // ms to wait when the node cannot be reached; it may be starting
const within = 10_000 // ms for an answer of the node

const api = (process.argv[2] ?? 'http://127.0.0.1:30304').replace(/\/$/, '')

// Failed is an error that the node tells, with its code.
class Failed extends Error {
  constructor({ code, message }) {
    super(message)
    this.code = code
  }
}

// call makes one call of weft.proto.
async function call(method, request) {
  const response = await fetch(`${api}/weft.v1.NodeService/${method}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(request),
    signal: AbortSignal.timeout(within),
  })
  const answer = await response.json()
  if (!response.ok) throw new Failed(answer)
  return answer
}

// candidates yields the objects that wait for a decision, for as long as the node runs.
// Those that wait already come first, so none is lost when this program starts again.
async function* candidates() {
  const response = await fetch(`${api}/v1/candidates?topic=${topic}`)
  if (!response.ok) throw new Failed(await response.json())
  console.log(`deciding about ${topic} at ${api}`)
  let rest = ''
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split('\n')
    rest = lines.pop()
    for (const line of lines) {
      const candidate = JSON.parse(line)
      if (candidate.error) throw new Failed(candidate.error) // the last line, when the node ends the stream
      yield candidate
    }
  }
}

// Invalid is what every node finds in the same entry, now and for ever.
class Invalid extends Error {}

// entry reads the payload of an object: bytes, in base64.
function entry(object) {
  let found
  try {
    found = JSON.parse(Buffer.from(object.payload, 'base64').toString())
  } catch (err) {
    throw new Invalid(`not an entry: ${err.message}`)
  }
  if (!Number.isSafeInteger(found?.add) || !Number.isSafeInteger(found?.total)) {
    throw new Invalid('an entry has two whole numbers, add and total')
  }
  return found
}

// before is the total before an entry. The node asks once all that an object depends on
// is held, so this does not wait for the network.
async function before(object) {
  if (object.deps.length === 0) return 0
  if (object.deps.length > 1) throw new Invalid('an entry follows one other')
  const answer = await call('ObjectGet', { cid: object.deps[0] })
  if (answer.object.topic !== topic) throw new Invalid(`it follows an object of ${answer.object.topic}`)
  return entry(answer.object).total
}

async function check(object) {
  const { add, total } = entry(object)
  const was = await before(object)
  if (was + add !== total) throw new Invalid(`${was} and ${add} make ${was + add}, not ${total}`)
}

// verdict rejects only what is invalid for everybody: that bans the sender. Our own
// trouble is nobody's fault, and the object comes again.
async function verdict(object) {
  try {
    await check(object)
    return { verdict: 'accept' }
  } catch (err) {
    return { verdict: err instanceof Invalid ? 'reject' : 'ignore', reason: err.message }
  }
}

async function decide(object) {
  const decision = { cid: object.cid, ...(await verdict(object)) }
  try {
    await call('Decide', decision)
  } catch (err) {
    if (err.code !== 'not_found') throw err // else another was faster, or it was too late
  }
  console.log([decision.verdict, decision.cid, decision.reason].filter(Boolean).join(' '))
}

for (;;) {
  try {
    for await (const { object } of candidates()) await decide(object)
  } catch (err) {
    console.error(err.cause?.message ?? err.message)
  }
  await sleep(again)
}
