package client

import (
	"context"
	"net/url"

	"github.com/drwatch/drwatch/internal/api"
)

// Members asks who makes up the coordination store.
func (c *Client) Members(ctx context.Context) (out api.Members, err error) {
	return out, c.get(ctx, "members", &out)
}

// ChangeMember changes a member of the coordination store: verb is replace or
// remove.
func (c *Client) ChangeMember(ctx context.Context, verb, name string, why api.Reason) error {
	return c.post(ctx, "members/"+url.PathEscape(name)+"/"+verb, why)
}
