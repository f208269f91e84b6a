// Package admin is the control API of a node: its server and its Go client.
//
// The calls are defined in weft/v1/weft.proto and spoken as Connect
// (https://connectrpc.com), gRPC or gRPC-Web, over HTTP/1.1 or HTTP/2 without
// TLS, on loopback or a unix socket. Every unary call is a POST of JSON:
//
//	curl -d '{}' -H 'Content-Type: application/json' http://127.0.0.1:30304/weft.v1.NodeService/Status
//	curl -d '{"all": true}' -H 'Content-Type: application/json' http://127.0.0.1:30304/weft.v1.NodeService/Peers
//	curl -d '{"peerId": "12D3Koo…", "count": 3}' -H 'Content-Type: application/json' http://127.0.0.1:30304/weft.v1.NodeService/Ping
//	curl -d '{"topic": "news", "text": "hello", "timeout": "5s"}' -H 'Content-Type: application/json' http://127.0.0.1:30304/weft.v1.NodeService/Publish
//	curl -d '{"topic": "blocks", "text": "hello"}' -H 'Content-Type: application/json' http://127.0.0.1:30304/weft.v1.NodeService/ObjectPut
//	curl -d '{}' -H 'Content-Type: application/json' --unix-socket /run/weft.sock http://localhost/weft.v1.NodeService/Id
//	curl -d '{}' -H 'Content-Type: application/json' -H "Authorization: Bearer $TOKEN" http://192.0.2.1:30304/weft.v1.NodeService/Id
//
// Zero values and empty lists are written out, durations read "1.5s", times are
// RFC 3339, bytes base64, 64-bit numbers strings; a misspelled field is an error.
// The streams are lines of JSON by GET:
//
//	curl -N 'http://127.0.0.1:30304/v1/subscribe?topic=news&count=10'   also: buffer
//	curl -N 'http://127.0.0.1:30304/v1/objects?topic=blocks&after=0&count=1'
//	curl -N 'http://127.0.0.1:30304/v1/candidates?count=1'              also: topic
//	curl -N 'http://127.0.0.1:30304/v1/events?after=0&kind=peer'        also: count, past_only
//
// each a SubscribeResponse, SubscribeObjectsResponse, CandidatesResponse or
// EventsResponse. The headers arrive when the stream
// is in force. It ends after count lines, when the node stops, or with a last line
// {"error": {"code", "message"}}. An error before the first line is an HTTP status
// with the same code and message as JSON.
//
// Beside the calls there are /metrics (Prometheus), /livez and /readyz (200, or
// 503 with the reasons; JSON on `Accept: application/json`). MetricsAddr serves
// these three on an address of their own.
//
// # Who may call
//
// Whoever reaches the API steers the node, so:
//
//   - A bind that other machines reach is refused unless a token is set. With a
//     token every path asks for it but /livez and /readyz, /metrics too; on
//     MetricsAddr nothing asks for it.
//   - A unix socket has mode 0600.
//   - On loopback the Host header must name this machine (DNS rebinding), and
//     everywhere requests that a browser makes for a site's page are refused.
//     There are no CORS headers, and no call answers to GET.
//
// Bodies are bounded (24 MiB), as are headers, connections (256), streams (64)
// and the time that a caller may take to send or to read; streams may last for
// ever.
//
// # Errors
//
// Every error that a call returns has a Connect code, a message that says what
// happened and what to do, and an Explanation as its detail (Explain makes them,
// ExplanationOf reads them). The client adds ErrUnreachable, ErrTimeout and
// ErrToken for errors.Is. A body that is no request at all has code and message
// only.
//
// # Serving
//
// The handler (weftv1connect.NodeServiceHandler) does what the calls say. In
// the streaming ones it sends nil once the stream is in force, which sends the
// headers, and ends when its context does: then the caller has gone, or the server
// closes.
package admin

//go:generate ./generate.sh
