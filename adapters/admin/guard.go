package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"connectrpc.com/connect"
)

// hostCheck says which Host headers are accepted. On a loopback bind any web
// page could point a name of its own at 127.0.0.1 and then pass for the same
// site (DNS rebinding); its name in the Host header gives it away. Other binds
// are guarded by a token, which such a page does not have.
func hostCheck(cfg ServerConfig, loopback bool) func(host string) bool {
	if !loopback {
		return func(string) bool { return true }
	}
	allowed := make([]string, 0, len(cfg.AllowHosts)+1)
	for _, h := range append(cfg.AllowHosts, "localhost") {
		allowed = append(allowed, strings.ToLower(hostOnly(h)))
	}
	return func(host string) bool {
		name := strings.ToLower(hostOnly(host))
		ip, err := netip.ParseAddr(name)
		return err == nil && ip.IsLoopback() || slices.Contains(allowed, name)
	}
}

// hostOnly takes the port, and the brackets of IPv6, off a Host header.
func hostOnly(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}

// sameSite refuses foreign Host headers and requests that a browser makes for
// another site. The API serves no web page, so no page has business with it.
func sameSite(hostOK func(string) bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !hostOK(r.Host):
			refuse(w, r, connect.CodePermissionDenied, "http.host", "the Host header names "+short(r.Host)+", not this machine",
				"call it as localhost or 127.0.0.1, or allow the name (setting api_allow_host)")
		case crossSite(r):
			refuse(w, r, connect.CodePermissionDenied, "http.origin", "the request comes from a web page of another site",
				"call the API from a program; browsers may not")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// crossSite goes by Sec-Fetch-Site, which pages cannot forge, and by Origin for
// browsers that do not send it.
func crossSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
	default:
		return true
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || u.Host != r.Host
}

// short quotes what a stranger sent, bounded.
func short(s string) string {
	const most = 64 // bytes: a DNS label and more
	if len(s) > most {
		s = s[:most] + "…"
	}
	return `"` + strings.ToValidUTF8(s, "?") + `"`
}

// withToken asks for the token, when there is one. Digests are compared, so that
// neither the time taken nor the lengths tell anything.
func withToken(token string, next http.Handler) http.Handler {
	if token == "" {
		return next
	}
	want := sha256.Sum256([]byte(token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given, isBearer := bearer(r.Header.Get("Authorization"))
		got := sha256.Sum256([]byte(given))
		switch {
		case !isBearer:
			refuse(w, r, connect.CodeUnauthenticated, "token.missing", "the node asks for a token",
				"give it by --api-token or WEFT_API_TOKEN, or as the header `Authorization: Bearer TOKEN`")
		case subtle.ConstantTimeCompare(want[:], got[:]) != 1:
			refuse(w, r, connect.CodeUnauthenticated, "token.wrong", "that is not the node's token",
				"give the one that the node was started with (its setting api_token)")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func bearer(header string) (string, bool) {
	scheme, token, found := strings.Cut(header, " ")
	return strings.TrimSpace(token), found && strings.EqualFold(scheme, "Bearer")
}
