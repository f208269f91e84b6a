package simhost

import "time"

// direct is when each node could have a message at the earliest, if the publisher
// sent it to that node alone: the delay and the time that the message takes on a link.
func (w *World) direct(by int) []time.Duration {
	at := make([]time.Duration, w.Config.Nodes)
	for i := range at {
		at[i] = w.delay(by, i) + w.Config.transmission()
	}
	return at
}

// flood is when each node could have a message at the earliest over the
// connections there are, if every node passed it on to each neighbour alone, once
// it has it in full.
func (w *World) flood(by int) []time.Duration {
	neighbours := w.neighbours()
	at, done := make([]time.Duration, w.Config.Nodes), make([]bool, w.Config.Nodes)
	for i := range at {
		at[i] = forever
	}
	at[by] = 0
	for range at {
		next := -1
		for i := range at {
			if !done[i] && (next < 0 || at[i] < at[next]) {
				next = i
			}
		}
		done[next] = true
		if at[next] == forever {
			break
		}
		for _, n := range neighbours[next] {
			at[n] = min(at[n], at[next]+w.delay(next, n)+w.Config.transmission())
		}
	}
	return at
}

func (w *World) neighbours() [][]int {
	all := make([][]int, w.Config.Nodes)
	for i, dialled := range w.dials {
		for _, j := range dialled {
			all[i], all[j] = append(all[i], j), append(all[j], i)
		}
	}
	return all
}
