package web

import (
	"context"

	"github.com/drwatch/drwatch/internal/api"
)

// Members shows and changes who makes up the coordination store.
type Members interface {
	Members(ctx context.Context) (api.Members, error)
	// ReplaceMember lets an observer that lost its data begin anew; RemoveMember
	// takes one out. ErrRefused while it is alive or the majority is at stake.
	ReplaceMember(ctx context.Context, name, who, reason string) error
	RemoveMember(ctx context.Context, name, who, reason string) error
}
