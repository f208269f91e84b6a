package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/weftnet/weft/cmd/weft/internal/settings"
)

// maxNetworkFile bounds a network file, in bytes; chosen well above the most
// bootstrappers that it may name.
const maxNetworkFile = 64 << 10

// maxNetworkBootstrap bounds the bootstrappers of a network file; chosen as the node
// bounds those of a bootstrap file.
const maxNetworkBootstrap = 256

// networkFile is what a network says of itself to those who join it.
type networkFile struct {
	bootstrap []string
	origin    string // of bootstrap
}

// networkSchema is what a network file may hold, each under the rules of the
// setting that it stands for.
func networkSchema() settings.Schema {
	s := nodeSchema().Only("network", "genesis", "bootstrap", "profile")
	s[0].Key, s[0].Check = "name", both(checkNetworkName, s[0].Check)
	s[2].Check = both(checkNetworkBootstrap, s[2].Check)
	return s
}

func checkNetworkName(v any) error {
	if strings.HasPrefix(v.(string), "@") {
		return errors.New("a network file cannot name another; write the network's name")
	}
	return nil
}

func checkNetworkBootstrap(v any) error {
	list := v.([]string)
	if len(list) > maxNetworkBootstrap {
		return fmt.Errorf("there are %d bootstrappers; name at most %d, and a handful will do", len(list), maxNetworkBootstrap)
	}
	for _, s := range list {
		if strings.HasPrefix(s, "@") {
			return fmt.Errorf("%q names a file; write the addresses themselves, for whoever gets this one", s)
		}
	}
	return nil
}

// openNetwork reads the network file, if --network names one: its name and genesis,
// its profile unless another was set, its bootstrappers.
func (a *app) openNetwork() error {
	defer func() { deriveProfile(a.values) }()
	path, isFile := strings.CutPrefix(a.values.Text("network"), "@")
	switch {
	case !isFile:
		return nil
	case path == "":
		return a.values.Error("network", `"@" names no file; write @FILE`)
	}
	f, err := settings.LoadFile(networkSchema(), "network", path, maxNetworkFile)
	if err != nil {
		return err
	}
	if f.Origin("name") == settings.Default {
		return &settings.Error{Name: "network", Origin: path, Problem: `the file does not name the network; add: name = "NAME"`}
	}
	a.values.Replace("network", f.Text("name"), f.Origin("name"))
	for _, key := range []string{"genesis", "profile"} {
		if f.Origin(key) != settings.Default {
			a.values.Weakly(key, f.Text(key), f.Origin(key))
		}
	}
	a.network = networkFile{f.List("bootstrap"), f.Origin("bootstrap")}
	return nil
}

// shownSettings are the effective settings, and what the network adds to them.
func (a *app) shownSettings() []settings.Shown {
	list := a.values.All()
	if len(a.network.bootstrap) == 0 {
		return list
	}
	own := slices.IndexFunc(list, func(s settings.Shown) bool { return s.Key == "bootstrap" })
	return slices.Insert(list, own+1, settings.Shown{
		Key: "default_bootstrap", Value: settings.List.Format(a.network.bootstrap), Source: a.network.origin,
	})
}
