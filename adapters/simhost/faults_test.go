package simhost

import "testing"

// TestFaults lets nodes vanish and restart and packets be lost: every living node gets
// every message, nearly all within the seed's targets.
func TestFaults(t *testing.T) {
	for name, fault := range map[string]func(*Config){
		"a tenth vanishes, and packets are lost": func(c *Config) { c.Kill, c.Loss = 0.1, 0.05 },
		"all restart, one after the other":       func(c *Config) { c.Churn, c.Messages = 2, 40 },
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Run(t, newTestWorld(t, fault), Episub())
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("p95 %.0f ms, max %.0f ms; %.1f %% pushed within 200 ms", r.P95, r.Max, 100*r.Pushed200)
			if !r.Complete() || r.Within600 < 0.99 || r.Pushed200 < 0.95 {
				t.Errorf("%d of %d missing, %d twice, %.1f %% within 600 ms, %.1f %% pushed within 200 ms; want all, 99 %% and 95 %%: %.300s",
					len(r.Missing), r.Expected, r.Twice, 100*r.Within600, 100*r.Pushed200, r.Missing)
			}
		})
	}
}
