package faults_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

// TestUnreadableIsFrozen: a freeze that cannot be read freezes, and so does a store
// that cannot: of a newer format, or with a record that means nothing here. The
// exporter goes on and says why; when it is over the work is done once.
func TestUnreadableIsFrozen(t *testing.T) {
	t.Parallel()
	lanes := lanesOf("unreadable", replication.HuaweiSDRS)
	c := newField(t, time.Second, lanes...)
	d := start(t, c, setting{})
	cli, root := d.store()
	put := func(key, value string) {
		t.Helper()
		if _, err := cli.Put(t.Context(), root+key, value); err != nil {
			t.Fatal(err)
		}
	}
	frozen := func(want float64, why string) {
		t.Helper()
		eventually(t, 20*time.Second, fmt.Sprintf("drwatch_frozen is %v, for %q", want, why), func() string {
			st := d.status()
			said := fmt.Sprintf("%s; %+v; %s", st.Store.Error, st.Freeze, strings.Join(st.NotReady, "; "))
			return unless(d.scrape().sum("drwatch_frozen") == want && strings.Contains(said, why), said)
		})
	}
	put("freeze", "{")
	frozen(1, "the freeze cannot be read")
	lose(t, c, "az-a", cloudsim.Loss{})
	eventually(t, 30*time.Second, "the claim is blocked", func() string {
		return unless(d.scrape().sum("drwatch_guard_blocked", "guard=not_frozen") == 1, "it is not")
	})
	put("format", "7")
	frozen(1, "format 7, this version reads up to 1: upgrade this observer")
	d.delete("freeze") // the format alone must do
	put("loss/az-z", "[]")
	d.delete("format") // and so must a record that means nothing here
	frozen(1, "loss/az-z")
	if d.scrape().sum("drwatch_account_up") < 1 {
		t.Error("the exporter has stopped")
	}
	if n := len(c.Effects()); n != 0 {
		t.Errorf("%d effects while the store could not be read", n)
	}
	d.delete("loss/az-z")
	d.failedOverOnce(c, lanes)
	frozen(0, "")
}

// store is another way to the daemon's store, and the prefix of its keys.
func (d *daemon) store() (*clientv3.Client, string) {
	d.t.Helper()
	found := regexp.MustCompile(`client_url=(http://\S+)`).FindStringSubmatch(d.home.logs.tail(1 << 20))
	if found == nil {
		d.t.Fatal("the log does not tell where the store listens")
	}
	cli, err := clientv3.New(clientv3.Config{Endpoints: []string{found[1]}, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = cli.Close() })
	r, err := cli.Get(d.t.Context(), "/drwatch/", clientv3.WithPrefix(), clientv3.WithKeysOnly(), clientv3.WithLimit(1))
	if err != nil || r.Count == 0 {
		d.t.Fatalf("the store is empty: %v", err)
	}
	return cli, strings.Join(strings.SplitAfter(string(r.Kvs[0].Key), "/")[:3], "")
}

// delete takes a key out of the daemon's store.
func (d *daemon) delete(key string) {
	d.t.Helper()
	cli, root := d.store()
	if _, err := cli.Delete(d.t.Context(), root+key); err != nil {
		d.t.Fatal(err)
	}
}
