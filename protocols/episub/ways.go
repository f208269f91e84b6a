package episub

// tryOneIn is how often a message is pushed on where it is not known whether that helps:
// chosen because half of the time cost a tenth of a copy more and gained nothing.
const tryOneIn = 4

// ways says of other peers, by slot, whether what they publish reaches a peer soonest
// through us: what we saw the last time.
type ways struct{ known, through slotSet }

func (w *ways) note(slot int, through bool) {
	w.known.add(slot)
	if through {
		w.through.add(slot)
	} else {
		w.through.drop(slot)
	}
}

// straight is the peer that sent a message if it is the author; nil: it is not. Where no
// author is named it is whoever pushes though it was choked: what it publishes goes to
// all.
func (r *record) straight(l *link, author, named bool) *link {
	if l == nil || named && !author || !named && (l.in || r.asked.has(l.slot)) {
		return nil
	}
	return l
}

// through says whether a lazy peer probably gets what an author publishes soonest from
// us, so that it is pushed on at once.
func (t *Topic) through(author, l *link) bool {
	if !l.ways.known.has(author.slot) {
		return l.Episub && t.rng.IntN(tryOneIn) == 0
	}
	return l.ways.through.has(author.slot)
}

// learnWays looks back at a message that came from its author. A peer that we told of it,
// and that did not tell us, had nothing when our word came: a push would have been the
// first, or was. What is true of the way there is taken to be true of the way back.
func (t *Topic) learnWays(r *record) {
	author := r.author
	if author == nil || t.links[author.ID] != author {
		return
	}
	for _, l := range t.order {
		if l.Episub && r.told.has(l.slot) {
			silent := !r.has.has(l.slot)
			l.ways.note(author.slot, silent)
			author.ways.note(l.slot, silent)
		}
	}
}
