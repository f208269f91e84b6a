//go:build docker

package docker_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	nodes       = 5
	joinLimit   = time.Minute     // until everyone has met everyone; seconds on an idle machine
	noticeLimit = 2 * time.Minute // until silence counts as gone: yamux asks every 30 s, then waits 10 s
)

// TestCluster starts the compose file's bootstrap node and five others and leads
// them through what happens to networks. The steps build on each other.
func TestCluster(t *testing.T) {
	t.Parallel()
	c := up(t, nodes, "bootstrap", "node")
	all := c.members("bootstrap", "node")
	step(t, "everyone meets everyone", func(t *testing.T) { joined(t, all) })
	step(t, "every container is healthy", func(t *testing.T) {
		for _, m := range all {
			m.on(t).healthIs("healthy")
		}
	})
	step(t, "a message reaches all others byte for byte", func(t *testing.T) { gossips(t, all) })
	step(t, "the others carry on without the bootstrap node", func(t *testing.T) {
		docker(t, "stop", all[0].id)
		apart(t, all[1:], all[0])
		gossips(t, all[1:])
	})
	step(t, "the bootstrap node comes back as the same peer", func(t *testing.T) {
		docker(t, "start", all[0].id)
		eventually(t, joinLimit, all[0].on(t).sameID)
		joined(t, all)
	})
	step(t, "a node that was cut off comes back", func(t *testing.T) {
		network, lost := c.network(), all[nodes]
		docker(t, "network", "disconnect", network, lost.id)
		apart(t, all[:nodes], lost)
		docker(t, "network", "connect", network, lost.id)
		joined(t, all)
		gossips(t, all)
	})
}

// step ends the whole test when it fails: the next one would only fail again.
func step(t *testing.T, name string, f func(*testing.T)) {
	t.Helper()
	if !t.Run(name, f) {
		t.FailNow()
	}
}

// cluster is a compose project.
type cluster struct {
	t       *testing.T
	project string
	env     []string
}

// up starts services of the compose file under a project of the test's own.
func up(t *testing.T, scale int, services ...string) *cluster {
	t.Helper()
	// An empty port lets Docker choose: the default one may be taken.
	env := []string{"IMAGE=" + image, "PROMETHEUS_IMAGE=" + prometheusImage, "PUBLISH=127.0.0.1:", "METRICS_PUBLISH=127.0.0.1:"}
	c := &cluster{t, fmt.Sprintf("%s-%s", runName, strings.ToLower(rand.Text()[:4])), env}
	t.Cleanup(c.down)
	args := append([]string{"up", "-d", "--no-build", "--scale", "node=" + strconv.Itoa(scale)}, services...)
	if _, err := c.compose(t.Context(), args...); err != nil {
		t.Fatal(err)
	}
	return c
}

// compose uses docker-compose 1.29 where there is one, else Compose v2.
func (c *cluster) compose(ctx context.Context, args ...string) ([]byte, error) {
	line := append([]string{"-p", c.project, "-f", "compose.yaml", "--profile", "monitoring"}, args...)
	if _, err := exec.LookPath("docker-compose"); err == nil {
		return output(ctx, c.env, nil, "docker-compose", line...)
	}
	return output(ctx, c.env, nil, "docker", append([]string{"compose"}, line...)...)
}

func (c *cluster) down() {
	ctx := context.Background()
	if c.t.Failed() {
		logs, err := c.compose(ctx, "logs", "--tail", "40")
		fmt.Fprintf(os.Stderr, "%s%v\n", logs, err)
	}
	if _, err := c.compose(ctx, "down", "-v", "-t", "5"); err != nil {
		c.t.Error(err)
	}
}

// containers are those of a service.
func (c *cluster) containers(service string) []string {
	c.t.Helper()
	return strings.Fields(docker(c.t, "ps", "-q", "--no-trunc", "--filter", "label=com.docker.compose.project="+c.project,
		"--filter", "label=com.docker.compose.service="+service))
}

func (c *cluster) network() string {
	c.t.Helper()
	return docker(c.t, "network", "ls", "-q", "--filter", "label=com.docker.compose.project="+c.project)
}

// members are the nodes of the services, in their order.
func (c *cluster) members(services ...string) []member {
	c.t.Helper()
	var all []member
	for _, s := range services {
		for _, id := range c.containers(s) {
			m := member{container: container{c.t, id}}
			eventually(c.t, joinLimit, func() (err error) { m.peer, err = m.identity(); return err })
			all = append(all, m)
		}
	}
	return all
}

// member is a container and the peer ID of its node.
type member struct {
	container
	peer string
}

// on lets a subtest fail by itself.
func (m member) on(t *testing.T) member { m.t = t; return m }

func (m member) identity() (string, error) {
	var answer struct{ PeerID string }
	err := m.ask(&answer, "id")
	return answer.PeerID, err
}

func (m member) sameID() error {
	id, err := m.identity()
	if err == nil && id != m.peer {
		m.t.Fatalf("the peer ID was %s and is %s: the volume does not keep the identity", m.peer, id)
	}
	return err
}

// peers are the IDs of those to whom the node is connected.
func (m member) peers() (map[string]bool, error) {
	var answer struct{ Peers []struct{ PeerID string } }
	err := m.ask(&answer, "peers")
	ids := map[string]bool{}
	for _, p := range answer.Peers {
		ids[p.PeerID] = true
	}
	return ids, err
}

// joined waits until every member is connected to every other.
func joined(t *testing.T, all []member) {
	t.Helper()
	for _, m := range all {
		eventually(t, joinLimit, func() error {
			peers, err := m.on(t).peers()
			for _, other := range all {
				if err == nil && other.peer != m.peer && !peers[other.peer] {
					err = fmt.Errorf("%s is not connected to %s", m.peer, other.peer)
				}
			}
			return err
		})
	}
}

// apart waits until nobody is connected to the one that left.
func apart(t *testing.T, all []member, left member) {
	t.Helper()
	for _, m := range all {
		eventually(t, noticeLimit, func() error {
			peers, err := m.on(t).peers()
			if err == nil && peers[left.peer] {
				err = fmt.Errorf("%s still counts %s as connected", m.peer, left.peer)
			}
			return err
		})
	}
}

// gossips publishes in the last member what all must receive. The author reads
// along, since a node lists only the topics that it has joined.
func gossips(t *testing.T, all []member) {
	t.Helper()
	payload := make([]byte, 100_000) // random bytes: zeros, newlines and bad UTF-8 among them
	rand.Read(payload)
	topic := t.Name()
	var reading errgroup.Group
	for _, m := range all {
		reading.Go(func() error { return m.on(t).receives(topic, payload) })
	}
	author := all[len(all)-1].on(t)
	eventually(t, joinLimit, func() error { return author.sees(topic, len(all)-1) })
	if _, err := author.weft(payload, "publish", topic, "-"); err != nil {
		t.Error(err)
	}
	if err := reading.Wait(); err != nil {
		t.Fatal(err)
	}
}

func (m member) receives(topic string, want []byte) error {
	got, err := m.weft(nil, "subscribe", topic, "--count", "1", "--timeout", joinLimit.String(), "--raw")
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("%s received %d bytes, not the %d that were published", m.peer, len(got), len(want))
	}
	return err
}

// sees is nil when the node knows that so many others listen to the topic.
func (m member) sees(topic string, readers int) error {
	var answer struct {
		Topics []struct {
			Name  string
			Peers []string
		}
	}
	if err := m.ask(&answer, "topics"); err != nil {
		return err
	}
	for _, x := range answer.Topics {
		if x.Name == topic && len(x.Peers) == readers {
			return nil
		}
	}
	return fmt.Errorf("%s does not see %d readers of %s: %+v", m.peer, readers, topic, answer.Topics)
}
