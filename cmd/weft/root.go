package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/weftnet/weft/cmd/weft/internal/settings"
)

// The groups of commands in the help.
const (
	groupNode     = "node"
	groupLinks    = "links"
	groupPolicy   = "policy"
	groupMessages = "messages"
	groupObjects  = "objects"
	groupTools    = "tools"
)

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "weft",
		Short: "Run and operate a node of a libp2p overlay network",
		Long: "Run and operate a node of a libp2p overlay network.\n\n" +
			"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 daemon unreachable, 4 timeout, 5 unhealthy.\n" +
			"Every setting is a flag (--max-peers), a variable (WEFT_MAX_PEERS) and a key of the\n" +
			"TOML file that --config names (max_peers); `weft config show` tells which one counts.",
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: a.prepare,
		Args:              subcommand,
		RunE:              showHelp,
	}
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(flagError)
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", fmt.Sprintf(".FlagUsagesWrapped %d", a.width())))
	globalSettings().Flags(root.PersistentFlags())
	completeChoices(root, root.PersistentFlags())
	root.AddGroup(
		&cobra.Group{ID: groupNode, Title: "The node:"},
		&cobra.Group{ID: groupLinks, Title: "Links and the DHT:"},
		&cobra.Group{ID: groupPolicy, Title: "Whom to trust:"},
		&cobra.Group{ID: groupMessages, Title: "Messages:"},
		&cobra.Group{ID: groupObjects, Title: "Objects:"},
		&cobra.Group{ID: groupTools, Title: "Tools:"},
	)
	root.SetHelpCommandGroupID(groupTools)
	root.SetCompletionCommandGroupID(groupTools)
	a.addTo(root, groupNode, a.runCommand, a.idCommand, a.statusCommand, a.peersCommand, a.claimsCommand, a.topicsCommand,
		a.healthCommand, a.eventsCommand, a.logLevelCommand)
	a.addTo(root, groupLinks, a.connectCommand, a.disconnectCommand, a.pingCommand, a.findCommand, a.closestCommand)
	a.addTo(root, groupPolicy, a.validatorsCommand, a.bansCommand, a.banCommand, a.unbanCommand)
	a.addTo(root, groupMessages, a.publishCommand, a.subscribeCommand)
	a.addTo(root, groupObjects, a.objectCommand, a.broadcastCommand, a.candidatesCommand, a.decideCommand)
	a.addTo(root, groupTools, a.keyCommand, a.configCommand, a.devnetCommand, a.doctorCommand, a.versionCommand)
	return root
}

func (a *app) addTo(root *cobra.Command, group string, makers ...func() *cobra.Command) {
	for _, make := range makers {
		c := make()
		c.GroupID = group
		root.AddCommand(c)
	}
}

// parent makes a command that only holds others.
func parent(use, short string, children ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: subcommand, RunE: showHelp}
	c.AddCommand(children...)
	return c
}

func showHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }

// subcommand refuses a word that is no command, with the one it resembles.
func subcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var known []string
	for _, c := range cmd.Commands() {
		known = append(known, c.Name())
	}
	hint := fmt.Sprintf("see `%s --help`", cmd.CommandPath())
	if near := settings.Nearest(args[0], known); near != "" {
		hint = fmt.Sprintf("did you mean %s %s?", cmd.CommandPath(), near)
	}
	return usagef("there is no command %s %s; %s", cmd.CommandPath(), args[0], hint)
}

// takes accepts between least and most arguments; names says what they are.
func takes(least, most int, names string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if least <= len(args) && len(args) <= most {
			return nil
		}
		if most == 0 {
			return usagef("%s takes no argument, not %q", cmd.CommandPath(), args[0])
		}
		return usagef("%s takes %s, not %d arguments; see `%s --help`", cmd.CommandPath(), names, len(args), cmd.CommandPath())
	}
}

// flagError words pflag's errors as ours.
func flagError(cmd *cobra.Command, err error) error {
	var missing *pflag.NotExistError
	var setting *settings.Error
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &setting):
		return setting
	case errors.As(err, &missing):
		return unknownFlag(cmd, missing)
	case errors.As(err, &invalid):
		return usagef("flag --%s cannot be %q; see `%s --help`", invalid.GetFlag().Name, invalid.GetValue(), cmd.CommandPath())
	}
	return usagef("%v; see `%s --help`", err, cmd.CommandPath())
}

func unknownFlag(cmd *cobra.Command, err *pflag.NotExistError) error {
	if letters := err.GetSpecifiedShortnames(); letters != "" {
		return usagef("there is no flag -%s; see `%s --help`", letters, cmd.CommandPath())
	}
	name := err.GetSpecifiedName()
	if near := settings.Nearest(name, flagNames(cmd.Flags())); near != "" {
		return usagef("%s has no flag --%s; did you mean --%s?", cmd.CommandPath(), name, near)
	}
	return usagef("%s has no flag --%s; see `%s --help`", cmd.CommandPath(), name, cmd.CommandPath())
}
