package main

import (
	"path/filepath"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/spf13/cobra"

	"github.com/weftnet/weft/adapters/libp2phost"
	"github.com/weftnet/weft/node"
)

func (a *app) keyCommand() *cobra.Command {
	return parent("key", "Make keys", a.keyNewCommand())
}

func (a *app) keyNewCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "new [FILE]",
		Short: "Make an identity and print its peer ID",
		Long: "Make a new Ed25519 identity, readable by its owner alone, and print its peer ID.\n" +
			"Without FILE it goes where a node with the same data directory finds it. An existing\n" +
			"file is never overwritten.",
		Example: "  weft key new --data-dir ./n1\n  weft key new ./identity.key -o json",
		Args:    takes(0, 1, "one FILE or none"),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				return a.newKey(args[0])
			}
			dir := a.values.Text("data_dir")
			if dir == "" {
				return usagef("there is no home directory for the key; name a FILE or --data-dir")
			}
			return a.newKey(filepath.Join(dir, node.KeyFile))
		},
	}
	nodeSchema().Only("data_dir").Flags(c.Flags())
	return c
}

func (a *app) newKey(path string) error {
	key, err := libp2phost.NewKey()
	if err != nil {
		return err
	}
	if err := libp2phost.SaveKey(path, key); err != nil {
		return err
	}
	who, err := identify(key, path)
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(who)
	}
	return a.print(who.ID)
}

// identity is what a key file tells without a daemon; spelled as the API does.
type identity struct {
	ID          string `json:"peerId"`
	Fingerprint string `json:"fingerprint"`
	File        string `json:"file"`
}

func identify(key crypto.PrivKey, path string) (identity, error) {
	id, err := peer.IDFromPrivateKey(key)
	return identity{id.String(), libp2phost.Fingerprint(key.GetPublic()), path}, err
}
