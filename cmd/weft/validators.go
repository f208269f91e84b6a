package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
	"github.com/weftnet/weft/adapters/validators"
)

func (a *app) validatorsCommand() *cobra.Command {
	var verbose bool
	c := parent("validators", "List the validators, or set them", a.validatorsSetCommand())
	c.Long = "List the validator set, and who of it is connected. A place is a peer's, or a consensus\n" +
		"key's, which belongs to the peer that proved it."
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.call(cmd, func(ctx context.Context, c *client) error { return c.validators(ctx, verbose) })
	}
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "whole peer IDs and keys")
	return c
}

func (c *client) validators(ctx context.Context, verbose bool) error {
	m, err := c.api.Validators(ctx, &weftv1.ValidatorsRequest{})
	if err != nil {
		return err
	}
	if m.GetFileError() != "" {
		c.log.Warn("the file of validators cannot be used", "file", m.GetFile(), "err", m.GetFileError())
	}
	return c.show(m, func() error {
		var rows [][]string
		for _, v := range m.GetValidators() {
			id, key := v.GetPeerId(), v.GetKey()
			if !verbose {
				id, key = shortID(id), shortID(key)
			}
			rows = append(rows, []string{dash(id), dash(key), number(max(v.GetWeight(), 1)), presence(v), percentage(v.Uptime)})
		}
		return c.table("PEER KEY WEIGHT STATE UPTIME", rows)
	})
}

func presence(v *weftv1.Validator) string {
	switch {
	case v.GetOwn():
		return "own"
	case v.GetConnected():
		return "connected"
	case v.GetPeerId() == "":
		return "unproven"
	}
	return "away"
}

func (a *app) validatorsSetCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "set (FILE | -)",
		Short: "Replace the validator set until the daemon is restarted",
		Long: "Replace the validator set until the daemon is restarted, by that of a file or of the\n" +
			"standard input: one entry a line, a peer ID or ed25519:HEX as `weft key consensus`\n" +
			"prints it, then a weight, 1 when there is none. An empty file empties the set. While\n" +
			"--validators names a file the set is that file's: edit it, and it is read again.",
		Example: "  weft validators set validators.txt\n  echo '12D3KooW… 10' | weft validators set -",
		Args:    takes(1, 1, "one FILE, or -"),
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := a.readValidators(args[0])
			if err != nil {
				return err
			}
			return a.call(cmd, func(ctx context.Context, c *client) error { return c.setValidators(ctx, set) })
		},
	}
}

// readValidators reads a set from wherever the command line says.
func (a *app) readValidators(from string) (validators.Set, error) {
	if from != "-" {
		set, err := validators.Validators.Load(from)
		if err != nil {
			return set, usagef("the validators cannot be read: %s", explained(err))
		}
		return set, nil
	}
	text, err := io.ReadAll(io.LimitReader(a.stdin, validators.MaxFile+1))
	if err != nil {
		return validators.Set{}, fmt.Errorf("the validators cannot be read: %w", err)
	}
	set, err := validators.Validators.Parse(text)
	if err != nil {
		return set, usagef("the validators cannot be read: standard input: %v", err)
	}
	return set, nil
}

func (c *client) setValidators(ctx context.Context, set validators.Set) error {
	m, err := c.api.SetValidators(ctx, &weftv1.SetValidatorsRequest{Validators: places(set)})
	if err != nil {
		return err
	}
	return c.show(m, func() error {
		if interactive(c.stderr) {
			fmt.Fprintf(c.stderr, "%d validators are in force until the daemon is restarted\n", set.Len())
		}
		return nil
	})
}

// places are the entries of a set as the API takes them, in a stable order.
func places(set validators.Set) (list []*weftv1.Validator) {
	for id, weight := range set.Peers {
		list = append(list, &weftv1.Validator{PeerId: id.String(), Weight: weight})
	}
	for key, weight := range set.Keys {
		list = append(list, &weftv1.Validator{Key: key.String(), Weight: weight})
	}
	slices.SortFunc(list, func(x, y *weftv1.Validator) int {
		return cmp.Or(cmp.Compare(x.PeerId, y.PeerId), cmp.Compare(x.Key, y.Key))
	})
	return list
}
