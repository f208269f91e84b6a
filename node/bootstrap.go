package node

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/adapters/regular"
	"github.com/weftnet/weft/protocols/dialing"
)

// maxBootstrap bounds the bootstrappers of one file or DNS name; chosen because
// a network needs a handful and a file may be anything.
const maxBootstrap = 256

// validBootstrap checks the form of one bootstrap setting, without reading
// files or asking DNS.
func validBootstrap(s string) error {
	if file, isFile := strings.CutPrefix(s, "@"); isFile {
		if file == "" {
			return errors.New("\"@\" names no file: write @FILE")
		}
		return nil
	}
	_, err := parseBootstrap(s)
	return err
}

// parseBootstrap reads one address. Only a bare /dnsaddr may lack the peer ID:
// its DNS records carry it.
func parseBootstrap(s string) (multiaddr.Multiaddr, error) {
	a, err := multiaddr.NewMultiaddr(s)
	if err != nil {
		return nil, fmt.Errorf("%q is not a multiaddr: %w; it looks like /ip4/192.0.2.1/tcp/30303/p2p/PEERID", s, err)
	}
	if _, err := a.ValueForProtocol(multiaddr.P_P2P); err != nil && !bareDNSAddr(a) {
		return nil, fmt.Errorf("%s lacks the peer ID: add /p2p/PEERID, as `weft run` and `weft id` print it", s)
	}
	return a, nil
}

func bareDNSAddr(a multiaddr.Multiaddr) bool {
	_, err := a.ValueForProtocol(multiaddr.P_DNSADDR)
	return err == nil && len(a) == 1
}

// bootstrappers resolves the bootstrap settings to peers. It returns what it
// could resolve together with what went wrong.
func (c Config) bootstrappers(ctx context.Context) ([]peer.AddrInfo, error) {
	var addrs []multiaddr.Multiaddr
	var errs []error
	for _, s := range c.bootstrapSettings() {
		found, err := c.expandBootstrap(ctx, s)
		addrs, errs = append(addrs, found...), append(errs, err)
	}
	infos, err := peer.AddrInfosFromP2pAddrs(addrs...)
	return infos, errors.Join(append(errs, err)...)
}

func (c Config) expandBootstrap(ctx context.Context, s string) ([]multiaddr.Multiaddr, error) {
	lines, err := []string{s}, error(nil)
	if file, isFile := strings.CutPrefix(s, "@"); isFile {
		if lines, err = readBootstrapFile(file); err != nil {
			return nil, err
		}
	}
	var out []multiaddr.Multiaddr
	var errs []error
	for _, l := range lines {
		found, err := c.resolveBootstrap(ctx, l)
		out, errs = append(out, found...), append(errs, err)
	}
	return out, errors.Join(errs...)
}

func (c Config) resolveBootstrap(ctx context.Context, s string) ([]multiaddr.Multiaddr, error) {
	a, err := parseBootstrap(s)
	if err != nil {
		return nil, err
	}
	if !bareDNSAddr(a) {
		return []multiaddr.Multiaddr{a}, nil
	}
	found, err := c.Resolver.Resolve(ctx, a)
	if err != nil {
		return nil, fmt.Errorf("bootstrapper %s: %w", a, err)
	}
	found = slices.DeleteFunc(found, func(a multiaddr.Multiaddr) bool {
		_, err := a.ValueForProtocol(multiaddr.P_P2P)
		return err != nil
	})
	if len(found) == 0 {
		return nil, fmt.Errorf("bootstrapper %s: its DNS TXT records name no address that ends in /p2p/PEERID", a)
	}
	return found[:min(len(found), maxBootstrap)], nil
}

// readBootstrapFile returns the lines of a bootstrap file, without blank ones
// and # comments.
func readBootstrapFile(file string) ([]string, error) {
	f, err := regular.Open(file)
	if errors.Is(err, regular.ErrNotRegular) {
		return nil, fmt.Errorf("bootstrap file: %w: write the addresses to one", err)
	}
	if err != nil {
		return nil, fmt.Errorf("bootstrap file: %w", err)
	}
	defer f.Close()
	var lines []string
	for sc := bufio.NewScanner(f); len(lines) < maxBootstrap; {
		if !sc.Scan() {
			return lines, sc.Err()
		}
		line, _, _ := strings.Cut(sc.Text(), "#")
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines, nil
}

// bootstrapSet is the current bootstrappers, for the adapters that ask who they
// are; the dialing machine has its own copy.
type bootstrapSet struct {
	mu    sync.RWMutex
	peers []peer.AddrInfo
	err   error
}

// update takes in what was found, which replaces what was known, unless some
// file or name could not be read: then nobody is forgotten.
func (b *bootstrapSet) update(found []peer.AddrInfo, err error) []peer.AddrInfo {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err = err; err != nil {
		for _, old := range b.peers {
			if !slices.ContainsFunc(found, func(p peer.AddrInfo) bool { return p.ID == old.ID }) {
				found = append(found, old)
			}
		}
	}
	b.peers = found
	return found
}

func (b *bootstrapSet) list() []peer.AddrInfo {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.peers
}

func (b *bootstrapSet) has(id peer.ID) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return slices.ContainsFunc(b.peers, func(p peer.AddrInfo) bool { return p.ID == id })
}

func (b *bootstrapSet) lastErr() error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.err
}

// rereadEvery is how often bootstrap files and DNS names are read again while
// the node has no peer; chosen because a container's peer starts within seconds.
const rereadEvery = time.Second

// keepBootstrapping hands the bootstrappers to the dialing machine and reads
// them again for as long as nobody is connected.
func (n *Node) keepBootstrapping(ctx context.Context, p *parts) {
	for {
		if p.host.NumPeers() == 0 {
			found, err := n.cfg.bootstrappers(ctx)
			if err != nil && !sameText(err, n.bootstrap.lastErr()) {
				n.cfg.Logger.Warn("some bootstrappers are not known yet; trying again every second", "err", err)
			}
			peers := n.bootstrap.update(found, err)
			p.command(dialing.SetBootstrappers{Peers: peers})
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(rereadEvery):
		}
	}
}

func sameText(a, b error) bool { return b != nil && a.Error() == b.Error() }
