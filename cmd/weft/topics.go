package main

import (
	"context"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
)

func (a *app) topicsCommand() *cobra.Command {
	var verbose bool
	c := &cobra.Command{
		Use:   "topics",
		Short: "List the topics that the node takes part in",
		Long: "List the topics that the node takes part in, those of messages and then those of objects:\n" +
			"what is kept of them, from which sequence number to which, how many connected members\n" +
			"carry them, and how many objects wait for an application's decision.",
		Args: takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.call(cmd, func(ctx context.Context, c *client) error { return c.topics(ctx, verbose) })
		},
	}
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "all that is known of each topic")
	return c
}

func (c *client) topics(ctx context.Context, verbose bool) error {
	m, err := c.api.Topics(ctx, &weftv1.TopicsRequest{})
	if err != nil {
		return err
	}
	return c.show(m, func() error {
		if verbose {
			return c.topicFields(m)
		}
		return c.topicTables(m)
	})
}

func (c *client) topicTables(m *weftv1.TopicsResponse) error {
	var rows [][]string
	for _, t := range m.GetTopics() {
		rows = append(rows, []string{t.GetName(), strconv.Itoa(len(t.GetPeers())), number(t.GetMesh()), partIn(t),
			number(t.GetReceived()), number(t.GetPublished()), number(t.GetDuplicates())})
	}
	if len(rows) > 0 || len(m.GetObjectTopics()) == 0 {
		if err := c.table("TOPIC PEERS MESH PART RECEIVED PUBLISHED DUPLICATES", rows); err != nil {
			return err
		}
	}
	if len(m.GetObjectTopics()) == 0 {
		return nil
	}
	if len(rows) > 0 {
		if err := c.print(""); err != nil {
			return err
		}
	}
	rows = nil
	for _, t := range m.GetObjectTopics() {
		rows = append(rows, []string{t.GetName(), t.GetClass(), number(t.GetObjects()), volume(t.GetBytes()), number(t.GetPruned()),
			number(t.GetFirstSeq()), number(t.GetLastSeq()), number(t.GetCarriers()), judging(t)})
	}
	return c.table("OBJECT-TOPIC CLASS OBJECTS BYTES PRUNED FIRST LAST CARRIERS JUDGING", rows)
}

// judging is how many objects wait for the application, if there is one.
func judging(t *weftv1.ObjectTopic) string {
	if !t.GetJudged() {
		return "-"
	}
	return number(t.GetJudging())
}

// topicFields tells all, a topic after the other.
func (c *client) topicFields(m *weftv1.TopicsResponse) error {
	var pairs []string
	for _, t := range m.GetTopics() {
		pairs = append(pairs, "topic", t.GetName(), "part", partIn(t),
			"received", number(t.GetReceived())+", "+volume(t.GetReceivedBytes())+" with copies", "sent", volume(t.GetSentBytes())+" with copies",
			"published", number(t.GetPublished()), "duplicates", number(t.GetDuplicates()), "mesh", number(t.GetMesh()))
		if t.GetTiers() == nil {
			pairs = append(pairs, each("peer", t.GetPeers())...)
		}
		pairs = append(append(pairs, tierFields(t.GetTiers())...), "", "")
	}
	for _, t := range m.GetObjectTopics() {
		pairs = append(append(append(pairs, objectTopicFields(t)...), tierFields(t.GetTiers())...), "", "")
	}
	return c.fields(pairs[:max(0, len(pairs)-2)]...)
}

func objectTopicFields(t *weftv1.ObjectTopic) []string {
	return append([]string{
		"object topic", t.GetName(), "class", t.GetClass(), "authors", t.GetAuthors(), "application", "decides: " + yesNo(t.GetJudged()),
		"keeps", number(t.GetKeepObjects()) + " objects, " + volume(t.GetKeepBytes()) + ", for " + ago(t.GetKeepAge().AsDuration()),
		"has", number(t.GetObjects()) + " objects, " + volume(t.GetBytes()) + ", numbers " + number(t.GetFirstSeq()) + " to " + number(t.GetLastSeq()),
		"pruned", number(t.GetPruned()), "judging", judging(t), "carriers", number(t.GetCarriers()), "mesh", number(t.GetMesh()),
	}, each("author", t.GetAuthorKeys())...)
}

func number[N uint32 | uint64](n N) string { return strconv.FormatUint(uint64(n), 10) }

func partIn(t *weftv1.Topic) string {
	switch {
	case t.GetJoined() && t.GetSubscribed():
		return "joined,subscribed"
	case t.GetSubscribed():
		return "subscribed"
	}
	return "joined"
}

// The topics that an argument may mean.
var (
	messageTopics = topicsThat(func(m *weftv1.TopicsResponse) []string { return namesOf(m.GetTopics()) })
	objectTopics  = topicsThat(func(m *weftv1.TopicsResponse) []string { return namesOf(m.GetObjectTopics()) })
	allTopics     = topicsThat(func(m *weftv1.TopicsResponse) []string {
		return append(namesOf(m.GetTopics()), namesOf(m.GetObjectTopics())...)
	})
	broadcastTopics = objectTopicsThat(func(t *weftv1.ObjectTopic) bool { return t.GetClass() == "broadcast" })
	judgedTopics    = objectTopicsThat((*weftv1.ObjectTopic).GetJudged)
)

// objectTopicsThat are those of objects for which a command has a use.
func objectTopicsThat(fit func(*weftv1.ObjectTopic) bool) roster {
	return topicsThat(func(m *weftv1.TopicsResponse) []string {
		return namesOf(slices.DeleteFunc(m.GetObjectTopics(), func(t *weftv1.ObjectTopic) bool { return !fit(t) }))
	})
}

func topicsThat(pick func(*weftv1.TopicsResponse) []string) roster {
	return roster{"topics", func(ctx context.Context, c *client) ([]string, error) {
		m, err := c.api.Topics(ctx, &weftv1.TopicsRequest{})
		return pick(m), err
	}}
}

func namesOf[M interface{ GetName() string }](list []M) (names []string) {
	for _, m := range list {
		names = append(names, m.GetName())
	}
	return names
}
