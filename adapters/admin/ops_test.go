package admin

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
)

func TestTheProbesAnswerWithEveryReason(t *testing.T) {
	var ready atomic.Pointer[error]
	s := serve(t, &fakeNode{}, func(c *ServerConfig) {
		c.Ready = func() error {
			if err := ready.Load(); err != nil {
				return *err
			}
			return nil
		}
	})
	c := curl{t: t, addr: s.Addr()}
	if status, body := c.get("/readyz"); status != http.StatusOK || body != "ready\n" {
		t.Errorf("ready = %d %q", status, body)
	}
	both := errors.Join(errors.New("joined: no peer"), errors.New("store: disk full"))
	ready.Store(&both)
	if status, body := c.get("/readyz"); status != http.StatusServiceUnavailable || body != "not ready\n- joined: no peer\n- store: disk full\n" {
		t.Errorf("not ready = %d %q", status, body)
	}
	status, body := c.with("Accept", "application/json").get("/readyz")
	if want := `{"ready":false,"reasons":["joined: no peer","store: disk full"]}`; status != http.StatusServiceUnavailable || strings.TrimSpace(body) != want {
		t.Errorf("as JSON = %d %q", status, body)
	}
	if status, body := c.get("/livez"); status != http.StatusOK || body != "live\n" {
		t.Errorf("live = %d %q", status, body)
	}
	if _, body := c.with("Accept", "application/json").get("/livez"); strings.TrimSpace(body) != `{"live":true,"reasons":[]}` {
		t.Errorf("live as JSON = %q", body)
	}
}

func TestMetricsAreServedOnBothAddressesAndCallsOnOne(t *testing.T) {
	s := serve(t, &fakeNode{}, func(c *ServerConfig) {
		c.Gatherer, c.MetricsAddr, c.Token = someMetrics(), "127.0.0.1:0", "secret"
	})
	alone := curl{t: t, addr: s.MetricsAddr()}
	if status, body := alone.get("/metrics"); status != http.StatusOK || !strings.Contains(body, "weft_test_total 1") {
		t.Errorf("alone = %d %s", status, body)
	}
	if status, _ := alone.get("/livez"); status != http.StatusOK {
		t.Errorf("/livez alone = %d", status)
	}
	if status, _ := alone.with("Authorization", "Bearer secret").call("Id", "{}"); status != http.StatusNotFound {
		t.Errorf("a call on the metrics address = %d", status)
	}
	if status, body := (curl{t: t, addr: s.Addr()}).with("Authorization", "Bearer secret").get("/metrics"); status != http.StatusOK || !strings.Contains(body, "weft_test_total 1") {
		t.Errorf("on the API = %d %s", status, body)
	}
	if _, err := dial(t, s.Addr(), "secret").Id(within(t), &weftv1.IdRequest{}); err != nil {
		t.Error(err)
	}
}

func TestMetricsOnOtherAddressesNeedNoTokenAndTakeAnyHost(t *testing.T) {
	s := serve(t, &fakeNode{}, func(c *ServerConfig) { c.Gatherer, c.MetricsAddr = someMetrics(), "0.0.0.0:0" })
	c := curl{t: t, addr: strings.Replace(s.MetricsAddr(), "[::]", "127.0.0.1", 1)}
	if status, body := c.with("Host", "node:9090").get("/metrics"); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
}
