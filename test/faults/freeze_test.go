package faults_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

// TestLocalFreeze: with the file beside it the observer abstains and sends
// nothing, and says why wherever it is asked; without it the work is done once.
func TestLocalFreeze(t *testing.T) {
	t.Parallel()
	lanes := lanesOf("here", replication.HuaweiSDRS, replication.AliyunEBS)
	c := newField(t, time.Second, lanes...)
	d := start(t, c, setting{})
	file := filepath.Join(d.home.storage, "FREEZE")
	write(t, file, "")
	eventually(t, 10*time.Second, "the freeze is seen", func() string { return unless(d.scrape().sum("drwatch_frozen") == 1, "drwatch_frozen is not 1") })
	lose(t, c, "az-a", cloudsim.Loss{})
	eventually(t, 30*time.Second, "every rule fires, the vote is withheld and the claim blocked", func() string {
		s := d.scrape()
		for _, l := range lanes {
			fires := s.sum("drwatch_rule_active", "group="+l.id, "state=firing") == 1
			if !fires || s.sum("drwatch_guard_blocked", "group="+l.id, "guard=not_frozen") != 1 || s.sum("drwatch_rule_votes", "group="+l.id, "vote=abstain") != 1 {
				return l.name + " does not"
			}
		}
		return ""
	})
	if st := d.status(); st.LocalFreeze == nil || st.LocalFreeze.Who != "the file "+file || st.Freeze != nil {
		t.Errorf("status: here %+v, of all %+v; want %s", st.LocalFreeze, st.Freeze, file)
	}
	if page := d.get("/"); !strings.Contains(page, "This observer alone is frozen by the file "+file) {
		t.Errorf("the page does not say it:\n%s", page)
	}
	if n := len(c.Effects()); n != 0 || len(d.incidents()) != 0 {
		t.Errorf("frozen, and yet %d effects and %d incidents", n, len(d.incidents()))
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	d.failedOverOnce(c, lanes)
}
