// Package reputation keeps one score of each peer, explained term by term, and decides
// from offences who is banned, and for how long. docs/reputation.md has the list of
// offences and the reasons for the numbers.
//
// Every peer starts at 100; scores run from 0 to 200.
//
//	compliance  offences against a protocol            down   comes back by a point in 6 s
//	validity    offences by what a peer passed on      down   likewise, after compliance
//	slowness    copies over 600 ms late                down   by 20 at most; fades, half in 10 min
//	delivery    messages that it brought first         up     a point each, 5 a minute, 50 in all; fades
//	objects     objects that were valid and new        up     likewise
//
// An offence costs by its weight:
//
//	fatal   100 points   an object that is invalid for everybody
//	grave    30 points   forging: what only a liar sends
//	serious  10 points   malformed messages, broken limits, floods
//	minor     5 points   what haste, load or a lost message can cause; never below 30,
//	                     so that minor offences alone cannot ban
//
// A peer is banned when offences leave 10 of the 100 points. The other terms order
// peers and do not enter that: nobody buys the right to an offence by behaving well
// first, and nobody is banned for being slow.
//
// Points come back whole, so that three forgeries within 6 s are 90.
//
// A ban lasts an hour, the next ones of the same peer 2, 4, 8 h and so on up to 7
// days; a month without a ban is forgiven. When 3 peers of one public IP group
// (core.Group) are banned at a time, so is the group, by the same rules, unless a peer
// there is connected and behaves well. Sources: Basalt's peer reputation (scores from
// 100, ban at 10, 1 h doubling to 7 d, floor of 30 for minor faults, rewards capped per
// minute); casper-node's blocking in both directions.
//
// Gossip hears of bans, and of validity beyond 20 points, as a score below zero
// (Opinion); never of latency.
//
// Bounds: scores of 4,096 peers are kept, those that tell least are forgotten first; of
// 4,096 bans of peers and 1,024 of groups the one that ends first, never one by hand,
// of which there may be half as many.
package reputation
