// Package reputation decides who is banned, and for how long, from the offences
// that the protocols report.
//
// Every peer has a score. It starts at 100, each offence lowers it by its weight,
// and time brings it back by a point in 6 s. At 10 or below the peer is banned.
//
//	fatal   100 points   an object that is invalid for everybody
//	grave    30 points   forging: what only a liar sends
//	serious  10 points   malformed messages, broken limits
//	minor     5 points   what haste, load or a lost message can cause; never below 30,
//	                     so that minor offences alone cannot ban
//
// A ban lasts an hour, the next ones of the same peer 2, 4, 8 h and so on up to 7
// days; a month without a ban is forgiven. Sources: Basalt's peer reputation
// (scores from 100, ban at 10, 1 h doubling to 7 d, floor of 30 for minor faults).
//
// Bounds: scores of 4,096 peers are kept, the best are forgotten first; of 4,096
// bans the one that ends first.
package reputation
