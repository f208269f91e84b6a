package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
)

// putLimit is how long a put may take unless told otherwise: an application has a
// minute to decide.
const putLimit = 90 * time.Second

func (a *app) objectCommand() *cobra.Command {
	c := parent("object", "Put, get and look at objects", a.objectPutCommand(), a.objectGetCommand(), a.objectStatCommand(),
		a.objectListCommand(), a.objectAnchorCommand(), a.objectProvideCommand())
	c.Long = "Put, get and look at objects: immutable bytes, named by their hash (a CID), kept by every\n" +
		"node that carries their topic, and delivered (weft subscribe) after all that they depend on."
	return c
}

type putFlags struct {
	publishFlags
	deps     []string
	kind     uint16
	unsigned bool
}

func (a *app) objectPutCommand() *cobra.Command {
	var f putFlags
	c := &cobra.Command{
		Use:   "put TOPIC (DATA | -f FILE | -)",
		Short: "Make an object, keep it and pass it on",
		Long: "Make an object of the argument's bytes, a file's, or those of the standard input (-), sign\n" +
			"it with the node's key, keep it and pass it on. Prints its CID once it is on disk. All that\n" +
			"it depends on must be held here, and where an application decides it must accept.",
		Example:           "  weft object put blocks 'first block'\n  weft object put blocks -f block2 --dep bafkrei…\n  date | weft object put blocks -",
		Args:              takes(1, 2, "a TOPIC and DATA, -f FILE, or -"),
		ValidArgsFunction: a.completes(objectTopics),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.send(cmd, args, f.publishFlags, "putting", func(ctx context.Context, c *client, data []byte) error {
				return c.put(ctx, args[0], data, f)
			})
		},
	}
	c.Flags().StringVarP(&f.file, "file", "f", "", "the bytes of this `file`")
	c.Flags().StringArrayVar(&f.deps, "dep", nil, "`CID` of an object that it depends on (may be repeated)")
	c.Flags().Uint16Var(&f.kind, "kind", 0, "a number for the application")
	c.Flags().BoolVar(&f.unsigned, "unsigned", false, "name no author")
	timeoutFlag(c, &f.timeout, putLimit, "how long to wait for the disk and the application")
	return c
}

func (c *client) put(ctx context.Context, topic string, data []byte, f putFlags) error {
	m, err := c.api.ObjectPut(ctx, &weftv1.ObjectPutRequest{
		Topic: topic, Data: data, Deps: f.deps, Kind: uint32(f.kind), Unsigned: f.unsigned, Timeout: durationpb.New(f.timeout),
	})
	return c.showCID(m, err)
}

// showCID shows what a new object is called.
func (c *client) showCID(m interface {
	proto.Message
	GetCid() string
}, err error) error {
	if err != nil {
		return err
	}
	return c.show(m, func() error { return c.print(m.GetCid()) })
}

func (a *app) broadcastCommand() *cobra.Command {
	var f publishFlags
	c := &cobra.Command{
		Use:   "broadcast TOPIC (DATA | -f FILE | -)",
		Short: "Send one object to all connected members, once",
		Long: "Send the argument's bytes, a file's, or those of the standard input (-) once, without a\n" +
			"guarantee, to all connected members that carry a topic of the class broadcast. Prints the\n" +
			"CID. Where the topic says that validators author, others are refused.",
		Example:           "  weft broadcast alerts 'stop at height 1200'",
		Args:              takes(1, 2, "a TOPIC and DATA, -f FILE, or -"),
		ValidArgsFunction: a.completes(broadcastTopics),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.send(cmd, args, f, "sending", func(ctx context.Context, c *client, data []byte) error {
				return c.broadcast(ctx, args[0], data, f.timeout)
			})
		},
	}
	c.Flags().StringVarP(&f.file, "file", "f", "", "the bytes of this `file`")
	timeoutFlag(c, &f.timeout, putLimit, "how long to wait for the disk and the application")
	return c
}

func (c *client) broadcast(ctx context.Context, topic string, data []byte, timeout time.Duration) error {
	m, err := c.api.Broadcast(ctx, &weftv1.BroadcastRequest{Topic: topic, Data: data, Timeout: durationpb.New(timeout)})
	return c.showCID(m, err)
}

func (a *app) objectAnchorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "anchor TOPIC CID",
		Short: "Make an object count as held",
		Long: "Make an object count as held, so that what depends on it becomes valid, although its bytes\n" +
			"may be nowhere any more: to join a log of which only the newest part is kept. Be sure that\n" +
			"it is the right one: ask somebody you trust.",
		Example:           "  weft object anchor blocks bafkrei…",
		Args:              takes(2, 2, "a TOPIC and a CID"),
		ValidArgsFunction: a.completes(objectTopics),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.call(cmd, func(ctx context.Context, c *client) error {
				m, err := c.api.ObjectAnchor(ctx, &weftv1.ObjectAnchorRequest{Topic: args[0], Cid: args[1]})
				return c.done(m, err)
			})
		},
	}
}

func (a *app) objectProvideCommand() *cobra.Command {
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "provide CID",
		Short: "Tell the DHT that this node has an object",
		Long: "Tell the DHT, for a day, that this node has an object, so that nodes that are not connected\n" +
			"with one that carries its topic find it by its CID.",
		Args: takes(1, 1, "one CID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.patient(cmd, timeout, "telling the DHT", func(ctx context.Context, c *client) error {
				m, err := c.api.ObjectProvide(ctx, &weftv1.ObjectProvideRequest{Cid: args[0], Timeout: durationpb.New(timeout)})
				return c.done(m, err)
			})
		},
	}
	timeoutFlag(c, &timeout, time.Minute, "how long to look for those who keep the record")
	return c
}

type getFlags struct {
	file    string
	raw     bool
	timeout time.Duration
}

func (a *app) objectGetCommand() *cobra.Command {
	var f getFlags
	c := &cobra.Command{
		Use:   "get CID",
		Short: "Get an object, from wherever it is",
		Long: "Get an object from this node, else from the peers that may have it, else from whoever the\n" +
			"DHT names. Prints its payload, the exact bytes; with --raw the encoded object, whose\n" +
			"SHA-256 is in the CID; with -o json all of it. Waits at most --timeout (exit code 4).",
		Example: "  weft object get bafkrei…\n  weft object get bafkrei… -f block2",
		Args:    takes(1, 1, "one CID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if a.json() && (f.raw || f.file != "") {
				return usagef("-o json prints all of the object, so it excludes --raw and -f; choose one")
			}
			return a.patient(cmd, f.timeout, "looking for it", func(ctx context.Context, c *client) error { return c.get(ctx, args[0], f) })
		},
	}
	c.Flags().StringVarP(&f.file, "file", "f", "", "write to this `file`")
	c.Flags().BoolVar(&f.raw, "raw", false, "the encoded object in place of its payload")
	timeoutFlag(c, &f.timeout, 30*time.Second, "how long to look for it elsewhere")
	return c
}

func (c *client) get(ctx context.Context, cid string, f getFlags) error {
	m, err := c.api.ObjectGet(ctx, &weftv1.ObjectGetRequest{Cid: cid, Encoded: f.raw, Timeout: durationpb.New(f.timeout)})
	if err != nil {
		return err
	}
	data := m.GetObject().GetPayload()
	if f.raw {
		data = m.GetEncoded()
	}
	switch {
	case f.file != "":
		return writeAtomically("-f", f.file, string(data))
	case interactive(c.stdout) && !c.json():
		return c.print(harmlessLines(string(data)))
	}
	return c.show(m, func() error { _, err := c.stdout.Write(data); return err })
}

// harmlessLines keeps the lines of what strangers wrote, and nothing else that
// steers the terminal.
func harmlessLines(s string) string {
	lines := strings.Split(strings.TrimSuffix(s, "\n"), "\n")
	for i := range lines {
		lines[i] = harmless(lines[i])
	}
	return strings.Join(lines, "\n")
}

func (a *app) objectStatCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "stat CID",
		Short: "Tell what the node knows of an object",
		Long: "Tell what the node knows of an object: held, pruned, paused (and on what, and who sent it),\n" +
			"parked, judging, invalid, missing or unknown. It asks nobody else.",
		Args: takes(1, 1, "one CID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.call(cmd, func(ctx context.Context, c *client) error { return c.stat(ctx, args[0]) })
		},
	}
}

// stateMeanings say in a line what a state means.
var stateMeanings = map[string]string{
	"held":    "it is valid, and here",
	"pruned":  "it counts as held; its bytes are gone, or never were here (an anchor)",
	"paused":  "it waits for what it depends on, which the node asks for",
	"parked":  "it waits for what it depends on, without its bytes, for which there was no room",
	"judging": "it waits for the application to decide",
	"invalid": "it was refused for good, and all that depends on it",
	"missing": "objects that came here depend on it, and the node asks for it",
	"unknown": "the node has not heard of it; `weft object get` looks for it elsewhere",
}

func (c *client) stat(ctx context.Context, cid string) error {
	m, err := c.api.ObjectStat(ctx, &weftv1.ObjectStatRequest{Cid: cid})
	if err != nil {
		return err
	}
	return c.show(m, func() error {
		pairs := []string{"cid", m.GetCid(), "state", m.GetState(), "meaning", dash(stateMeanings[m.GetState()]), "topic", dash(m.GetTopic())}
		if m.GetState() == "held" {
			pairs = append(pairs, "number", number(m.GetSeq()), "landed", moment(m.GetLanded()))
		}
		if m.GetSize() > 0 {
			pairs = append(pairs, "size", volume(m.GetSize()))
		}
		pairs = append(pairs, each("waits for", m.GetMissing())...)
		return c.fields(append(pairs, each("from", m.GetFrom())...)...)
	})
}

type listFlags struct{ after, limit uint64 }

func (a *app) objectListCommand() *cobra.Command {
	var f listFlags
	c := &cobra.Command{
		Use:   "list TOPIC",
		Short: "List the objects of a topic that are kept here",
		Long: "List the objects of a topic that are kept here, in the order in which they became valid on\n" +
			"this node: each after all that it depends on. Other nodes have other numbers.",
		Example:           "  weft object list blocks\n  weft object list blocks --after 1000 --limit 100 -o json",
		Args:              takes(1, 1, "one TOPIC"),
		ValidArgsFunction: a.completes(objectTopics),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.call(cmd, func(ctx context.Context, c *client) error { return c.list(ctx, args[0], f) })
		},
	}
	c.Flags().Uint64Var(&f.after, "after", 0, "begin after this sequence `number`")
	c.Flags().Uint64Var(&f.limit, "limit", 0, "end after this many objects (0: never)")
	return c
}

// pageSize is how many entries are asked for at a time; the API's most.
const pageSize = 10_000

func (c *client) list(ctx context.Context, topic string, f listFlags) error {
	all := &weftv1.ObjectListResponse{More: true}
	for all.More && (f.limit == 0 || uint64(len(all.Entries)) < f.limit) {
		want := uint64(pageSize)
		if f.limit > 0 {
			want = min(want, f.limit-uint64(len(all.Entries)))
		}
		page, err := c.api.ObjectList(ctx, &weftv1.ObjectListRequest{Topic: topic, After: f.after, Limit: uint32(want)})
		if err != nil {
			return err
		}
		all.Entries, all.More = append(all.Entries, page.GetEntries()...), page.GetMore()
		if n := len(all.Entries); n > 0 {
			f.after = all.Entries[n-1].GetSeq()
		}
	}
	return c.show(all, func() error {
		var rows [][]string
		for _, e := range all.Entries {
			rows = append(rows, []string{number(e.GetSeq()), e.GetCid(), volume(e.GetSize()), moment(e.GetLanded())})
		}
		if all.More && interactive(c.stderr) {
			defer fmt.Fprintf(c.stderr, "there are more: --after %d shows them\n", f.after)
		}
		return c.table("NUMBER CID SIZE LANDED", rows)
	})
}
