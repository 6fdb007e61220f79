package quorum

import (
	"context"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/drwatch/drwatch/internal/quorum/ledger"
)

// watchAgain is how long after a watch has ended a new one is begun.
const watchAgain = 500 * time.Millisecond

// Watch calls changed whenever something in the store has changed that a
// decision could look at: a vote, the freeze, the leader, an incident. It is one
// watch on the cluster's keys, begun again whenever it ends, until ctx does.
// What it tells is only that a look is worth while: whoever decides reads the
// store again. changed must not block.
func (s *Store) Watch(ctx context.Context, changed func()) {
	for ctx.Err() == nil {
		if cli, err := s.member.client(); err == nil {
			watch(ctx, cli, s.Root(), changed)
		}
		pause(ctx, watchAgain)
	}
}

// watch follows the keys until the watch ends: with the member, the majority or
// ctx.
func watch(ctx context.Context, cli *clientv3.Client, root string, changed func()) {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	events := cli.Watch(ctx, root, clientv3.WithPrefix())
	changed() // what came before it is looked at once
	for answer := range events {
		if answer.Canceled || answer.Err() != nil {
			return
		}
		for _, e := range answer.Events {
			if ledger.Decisive(root, string(e.Kv.Key)) {
				changed()
				break
			}
		}
	}
}
