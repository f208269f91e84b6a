// Package episub decides, for one topic on gossipsub, who pushes messages to us and
// who only announces them: eager and lazy peers.
//
// Sources: the seed (eager 6, lazy 12, here 20; 200 and 600 ms); Plumtree (Leitão, Pereira,
// Rodrigues 2007) for eager push with lazy repair; episub's and gossipsub 1.2's
// choke, here directional and by means of PRUNE and GRAFT; Perigee (Mao et al. 2020)
// for peers that are judged as a set. Different from Plumtree: several peers stay
// eager, the receiver decides, and an announcement is answered with a request to one
// announcer at a time.
//
// # Flow
//
//	Alice            Bob                 Carol
//	  │ GRAFT ─────────▶│                   │   Alice wants Bob's pushes
//	  │                 │◀── message ───────┤
//	  │◀─── message ────┤                   │
//	  │ ... 10 ms: what came meanwhile
//	  ├─ IHAVE ────────────────────────────▶│   Carol is not pushed to by Alice
//	  │◀─ IHAVE ────────────────────────────┤   and announces to her
//	  │ IWANT ─────────────────────────────▶│   only if no push comes in time
//	  │ PRUNE (1 s) ───▶│                   │   Bob's copies came last: announce only
//
// # Tiers
//
// A tier is a direction: Bob is eager to Alice when he pushes to her, whether or not
// she pushes to him. The receiver decides. At first EagerTarget peers are eager. Each
// sign of a message, copy or announcement, shows how much later a peer has it than
// the first; over the last Samples messages the set of eager peers is the better the
// less its soonest copy lags behind, where what no eager peer brings costs a request
// to the quickest announcer. Every second the peer that saves next to nothing is
// choked, one that saves much is unchoked, or one is put into the place of another:
// the three thresholds are the hysteresis. Random peers, drawn among the better half,
// keep their place whatever they measure later.
//
// A peer that is made eager for what it announced displaces nobody until it has pushed.
// One from which nothing comes any more, or that does not give what it announces, loses
// its place: see trial.go and debt.go.
//
// Where pushes take long, because messages are large or links slow, fewer peers push and
// are pushed to, and requests follow sooner: see transfer.go.
//
// Plain gossipsub peers are eager while they are in the mesh, and never choked.
//
// # The second hop
//
// The set of eager peers is one for all sources, and the best way is not. What Alice has
// from its author Dave, who gives it to all his peers, she pushes on at once to those lazy
// peers that had nothing yet when she told them of Dave's last message: who has a message
// says so, with an announcement that crosses hers, and who does not is silent.
//
// # Nothing is lost
//
// A message that is announced and not pushed in time is asked of one announcer, then
// of the next, then of ever more at a time. The time is the one in which nine in ten announced messages were
// pushed lately. At three ticks after a message came, some of the peers that are not
// known to have it are told again: this repairs announcements, requests and pushes that were lost,
// and tells those who came later.
//
// # Bounds
//
// 256 peers, 65,536 messages for two minutes, 1,024 waited for of one peer's
// announcements, 5,000 announced IDs of a peer a second.
package episub
