package devnet

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/weftnet/weft/node"
)

// Row is what a network's owner wants to see of one node, in JSON spelled as the
// control API does.
type Row struct {
	Node     int     `json:"node"` // from 1
	ID       string  `json:"peerId"`
	Addr     string  `json:"address"`
	API      string  `json:"api"`
	Peers    int     `json:"peers"`
	Topics   []Topic `json:"topics"`
	Messages uint64  `json:"messages"`          // published and received since the start
	Rate     float64 `json:"messagesPerSecond"` // since the rows before
}

// Topic is a topic as one node sees it.
type Topic struct {
	Name  string `json:"name"`
	Peers int    `json:"peers"`
}

// meter turns message totals into rates.
type meter struct {
	at     time.Time
	totals []uint64
}

func (m *meter) reset(n *Net) {
	m.at, m.totals = time.Now(), make([]uint64, len(n.nodes))
}

// Rows looks at every node. Rates count from the last call; one goroutine calls.
func (n *Net) Rows() []Row {
	now := time.Now()
	seconds := now.Sub(n.meter.at).Seconds()
	rows := make([]Row, len(n.nodes))
	for i, x := range n.nodes {
		rows[i] = look(i, x)
		if seconds > 0 {
			rows[i].Rate = float64(rows[i].Messages-n.meter.totals[i]) / seconds
		}
		n.meter.totals[i] = rows[i].Messages
	}
	n.meter.at = now
	return rows
}

func look(i int, x *node.Node) Row {
	r := Row{Node: i + 1, ID: x.ID().String(), API: x.APIAddr(), Peers: len(x.Peers()), Topics: []Topic{}}
	if addrs := x.Addrs(); len(addrs) > 0 {
		r.Addr = addrs[0].String()
	}
	for _, t := range x.Topics() {
		r.Topics = append(r.Topics, Topic{t.Name, len(t.Peers)})
		r.Messages += t.Published + t.Delivered
	}
	return r
}

// Table writes the rows as a table of at most the given number of lines; 0 means
// no limit. Rows beyond it are summed up, and so are all of them in the last line.
func Table(w io.Writer, rows []Row, lines int) error {
	shown := rows
	if room := lines - 3; lines > 0 && len(rows) > room { // head, rest, sum
		shown = rows[:max(room, 0)]
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NODE\tID\tAPI\tPEERS\tTOPIC PEERS\tMSG/S\tMESSAGES")
	for _, r := range shown {
		fmt.Fprintf(t, "%d\t%s\t%s\t%d\t%s\t%.1f\t%d\n", r.Node, short(r.ID), r.API, r.Peers, topics(r), r.Rate, r.Messages)
	}
	if hidden := len(rows) - len(shown); hidden > 0 {
		fmt.Fprintf(t, "…\tand %d more\t\t\t\t\t\n", hidden)
	}
	sum := total(rows)
	fmt.Fprintf(t, "all\t\t\tmean %.1f\t\t%.1f\t%d\n", float64(sum.Peers)/float64(len(rows)), sum.Rate, sum.Messages)
	return t.Flush()
}

func total(rows []Row) (sum Row) {
	for _, r := range rows {
		sum.Peers += r.Peers
		sum.Rate += r.Rate
		sum.Messages += r.Messages
	}
	return sum
}

// topics shows the first topics; more would break the table.
func topics(r Row) (text string) {
	for i, t := range r.Topics {
		if i == 3 {
			return text + " …"
		}
		if i > 0 {
			text += " "
		}
		text += fmt.Sprintf("%.16s:%d", t.Name, t.Peers)
	}
	return text
}

// short is the end of a peer ID: the beginnings are alike.
func short(id string) string { return "…" + id[max(len(id)-10, 0):] }
