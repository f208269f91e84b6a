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
	return parent("key", "Make keys", a.keyNewCommand(), a.keyConsensusCommand())
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
	key, err := makeKey(path)
	if err != nil {
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

func makeKey(path string) (crypto.PrivKey, error) {
	key, err := libp2phost.NewKey()
	if err != nil {
		return nil, err
	}
	return key, libp2phost.SaveKey(path, key)
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

func (a *app) keyConsensusCommand() *cobra.Command {
	var show bool
	c := &cobra.Command{
		Use:   "consensus FILE",
		Short: "Make the key of a consensus identity and print its public part",
		Long: "Make a new Ed25519 key, readable by its owner alone, for what stands behind a\n" +
			"validator, and print its public part as the file of validators holds it. A node that\n" +
			"has the key (--consensus-key) proves so to its peers; its own identity is another key.\n" +
			"An existing file is never overwritten; with --show its public part is printed.",
		Example: "  weft key consensus ./consensus.key\n  weft key consensus --show ./consensus.key",
		Args:    takes(1, 1, "one FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			if !show {
				if _, err := makeKey(args[0]); err != nil {
					return err
				}
			}
			return a.showConsensus(args[0])
		},
	}
	c.Flags().BoolVar(&show, "show", false, "make nothing: print the public part of an existing key")
	return c
}

func (a *app) showConsensus(path string) error {
	private, err := libp2phost.LoadConsensusKey(path)
	if err != nil {
		return err
	}
	public := publicKey(private)
	if a.json() {
		return a.printJSON(map[string]string{"consensusKey": public.String(), "file": path})
	}
	return a.print(public.String())
}
