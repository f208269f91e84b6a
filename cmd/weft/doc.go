// Weft runs and operates a node of a libp2p overlay network.
//
// `weft run` is the daemon; `weft devnet up` runs many nodes in one process;
// `weft key new`, `weft config show`, `weft doctor`, `weft version` and
// `weft completion` work alone. Every other command speaks to a running daemon
// through its control API.
//
// stdout carries data only, stderr the log and errors, one line each:
// "weft: what happened; what to do". The exit codes are in exit.go, the settings
// in settings.go. There is one file for each group of commands; they share app
// (app.go), the client (client.go) and the printer (output.go).
package main
