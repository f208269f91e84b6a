package main

import (
	"cmp"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/weftnet/weft/cmd/weft/internal/settings"
)

// helpWidth is how wide the help of many flags is where there is no terminal;
// chosen as what fits beside something else on a screen.
const helpWidth = 100

// manyFlags gives a command the settings of `weft run` as flags, and a help that
// lists them under headings.
func (a *app) manyFlags(c *cobra.Command) {
	c.Flags().SortFlags = false
	runSettings().Flags(c.Flags())
	c.SetUsageFunc(a.groupedUsage)
	completeChoices(c, c.Flags())
}

// completeChoices lets the shell complete flags that take one of a few words.
func completeChoices(c *cobra.Command, flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if words := settings.Choices(f); words != nil {
			// It fails for a flag that is not the command's, or on the second time.
			_ = c.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
		}
	})
}

func (a *app) groupedUsage(c *cobra.Command) error {
	w, width := c.OutOrStdout(), a.width()
	fmt.Fprintf(w, "Usage:\n  %s\n", c.UseLine())
	if c.HasExample() {
		fmt.Fprintf(w, "\nExamples:\n%s\n", c.Example)
	}
	heads, groups := groupFlags(c.LocalFlags())
	for _, head := range heads {
		fmt.Fprintf(w, "\n%s:\n%s", head, groups[head].FlagUsagesWrapped(width))
	}
	_, err := fmt.Fprintf(w, "\nOf every command:\n%s", c.InheritedFlags().FlagUsagesWrapped(width))
	return err
}

// groupFlags parts flags by their headings, in the order in which they were added.
// That --help is one need not be said by what it prints.
func groupFlags(all *pflag.FlagSet) (heads []string, groups map[string]*pflag.FlagSet) {
	groups = map[string]*pflag.FlagSet{}
	all.VisitAll(func(f *pflag.Flag) {
		head := cmp.Or(settings.Group(f), "Flags")
		if f.Name == "help" {
			return
		}
		if groups[head] == nil {
			groups[head] = pflag.NewFlagSet(head, pflag.ContinueOnError)
			groups[head].SortFlags = false
			heads = append(heads, head)
		}
		groups[head].AddFlag(f)
	})
	return heads, groups
}

// width is how wide the terminal is.
func (a *app) width() int {
	if f, isFile := a.stdout.(*os.File); isFile {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			return width
		}
	}
	return helpWidth
}
