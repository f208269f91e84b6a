//go:build docker

package docker_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	dashboardFile = "grafana/dashboards/weft.json"
	scrapeLimit   = time.Minute // a rate needs two scrapes, 5 s apart, of every node
)

var prometheusImage = runName + ":prometheus"

// TestPrometheusAnswersEveryExpressionOfTheDashboard runs the provisioned
// Prometheus, as Debian packages it, beside three nodes.
func TestPrometheusAnswersEveryExpressionOfTheDashboard(t *testing.T) {
	t.Parallel()
	buildPrometheus(t)
	c := up(t, 2, "bootstrap", "node", "prometheus")
	all := c.members("bootstrap", "node")
	joined(t, all)
	gossips(t, all)
	// Some counters exist only once they have counted.
	for _, command := range []string{"find", "disconnect"} {
		if _, err := all[0].weft(nil, command, all[1].peer); err != nil {
			t.Fatal(err)
		}
	}
	api := "http://" + docker(t, "port", c.containers("prometheus")[0], "9090/tcp") + "/api/v1/"
	expressions := dashboardExpressions(t)
	eventually(t, scrapeLimit, func() error { return answer(api+"series", "match[]", metricNames(expressions)) })
	eventually(t, scrapeLimit, func() error { return answer(api+"query", "query", expressions) })
}

// dashboardExpressions are the dashboard's queries, with Grafana's variables
// replaced by what they stand for.
func dashboardExpressions(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("$__rate_interval", "20s", "$instance", ".*", "$topic", ".*")
	var found []string
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			found = append(found, fill.Replace(target.Expr))
		}
	}
	if len(found) < 20 {
		t.Fatalf("only %d expressions in %s: is it still read rightly?", len(found), dashboardFile)
	}
	return found
}

var (
	notMetrics = regexp.MustCompile(`\{[^}]*\}|\[[^\]]*\]|"[^"]*"|\b(by|without|on|ignoring)\s*\([^)]*\)`)
	identifier = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*\b\s*\(?`)
	keywords   = []string{"and", "or", "unless", "bool", "offset", "group_left", "group_right"}
)

// metricNames are the words in the expressions that are neither labels, functions
// nor keywords.
func metricNames(expressions []string) []string {
	var names []string
	for _, e := range expressions {
		for _, word := range identifier.FindAllString(notMetrics.ReplaceAllString(e, " "), -1) {
			if word = strings.TrimSpace(word); !strings.HasSuffix(word, "(") && !slices.Contains(keywords, word) {
				names = append(names, word)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// answer is nil when Prometheus answers each question with at least one series.
func answer(endpoint, parameter string, questions []string) error {
	var errs []error
	for _, q := range questions {
		errs = append(errs, ask(endpoint, parameter, q))
	}
	return errors.Join(errs...)
}

func ask(endpoint, parameter, question string) error {
	resp, err := http.Get(endpoint + "?" + url.Values{parameter: {question}}.Encode())
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	var vector struct{ Result []json.RawMessage }
	var series []json.RawMessage
	if json.Unmarshal(answer.Data, &vector) == nil {
		series = vector.Result
	} else if err := json.Unmarshal(answer.Data, &series); err != nil {
		return fmt.Errorf("%s: %s %s", question, answer.Status, answer.Error)
	}
	if len(series) == 0 {
		return fmt.Errorf("%s: no such series", question)
	}
	return nil
}

// buildPrometheus makes an image of this machine's prometheus and the libraries
// that it links, since no image can be fetched.
func buildPrometheus(t *testing.T) {
	t.Helper()
	binary, err := exec.LookPath("prometheus")
	if err != nil {
		t.Fatal("prometheus is missing: apt-get install prometheus")
	}
	libraries, err := exec.CommandContext(t.Context(), "ldd", binary).Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	copyInto(t, dir, "/usr/bin/prometheus", binary)
	for _, lib := range regexp.MustCompile(`/\S+`).FindAllString(string(libraries), -1) {
		copyInto(t, dir, lib, lib)
	}
	dockerfile := "FROM scratch\nCOPY root /\nUSER 65534\nCOPY --chown=65534 empty /prometheus\nENTRYPOINT [\"/usr/bin/prometheus\"]\n"
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(dockerfile), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	docker(t, "build", "-t", prometheusImage, dir)
	t.Cleanup(func() { remove(t, "rmi", "-f", prometheusImage) })
}

// copyInto copies a file of this machine to a path in the image's root.
func copyInto(t *testing.T, dir, path, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dir, "root", path)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o755); err != nil {
		t.Fatal(err)
	}
}
