package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"go.uber.org/zap"
)

// locks takes one lock for each group, and then writes as many keys that were
// not there with as many bytes as a claim has: by the same member as the first
// observer, so many at a time.
func (c *cluster) locks(ctx context.Context, o options, bytes int) (locks, same time.Duration, err error) {
	cli, err := clientv3.New(clientv3.Config{Endpoints: []string{c.stores[0].Status().ClientURL}, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, cli.Close()) }()
	session, err := concurrency.NewSession(cli, concurrency.WithTTL(int(leaseTTL/time.Second)), concurrency.WithContext(ctx))
	if err != nil {
		return 0, 0, fmt.Errorf("session of the locks: %w", err)
	}
	began := time.Now()
	err = inParallel(o.locks, c.groups, func(n int) error {
		return concurrency.NewMutex(session, "/locks/"+groupKey(n).ID).Lock(ctx)
	})
	if err != nil {
		return 0, 0, fmt.Errorf("locking: %w", err)
	}
	locks = time.Since(began)
	value := strings.Repeat("x", bytes)
	began = time.Now()
	err = inParallel(o.locks, c.groups, func(n int) error {
		key := "/same/" + groupKey(n).ID
		r, err := cli.Txn(ctx).If(clientv3.Compare(clientv3.CreateRevision(key), "=", 0)).Then(clientv3.OpPut(key, value)).Commit()
		if err == nil && !r.Succeeded {
			err = errors.New("the key was there")
		}
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("writing as many bytes: %w", err)
	}
	return locks, time.Since(began), nil
}
