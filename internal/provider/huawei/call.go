package huawei

import (
	"context"
	"errors"
	"net/http"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/def"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/exchange"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"

	"github.com/drwatch/drwatch/internal/provider"
)

// request is one call on the wire.
type request struct {
	method, path string
	query        Query
	body         string // exactly these bytes; "" sends none
	contentType  string
}

// fields are what the SDK's core reads a request from, by field name.
type fields struct {
	Limit            string `json:"limit"`
	Offset           string `json:"offset"`
	Marker           string `json:"marker"`
	ID               string `json:"id"`
	ServerGroup      string `json:"server_group_id"`
	ConsistencyGroup string `json:"replication_consistency_group_id"`
	ResourceType     string `json:"resource_type"`
	StartTime        string `json:"start_time"`
	Body             string
}

// raw is an answer that the SDK leaves undecoded. It demands the first field.
type raw struct {
	HttpStatusCode int
	Body           string
}

// define describes a request to the SDK. It is made for each call: the SDK
// keeps the answer within.
func define(r request) (fields, *def.HttpRequestDef) {
	f := fields{
		Limit: r.query.Limit, Offset: r.query.Offset, Marker: r.query.Marker, ID: r.query.ID,
		ServerGroup: r.query.ServerGroup, ConsistencyGroup: r.query.ConsistencyGroup,
		ResourceType: r.query.ResourceType, StartTime: r.query.StartTime, Body: r.body,
	}
	b := def.NewHttpRequestDefBuilder().WithMethod(r.method).WithPath(r.path).WithContentType(r.contentType).WithResponse(new(raw)).
		WithResponseField(def.NewFieldDef().WithName("Body").WithLocationType(def.Body))
	for _, q := range []struct{ name, tag, value string }{
		{"Limit", "limit", f.Limit},
		{"Offset", "offset", f.Offset},
		{"Marker", "marker", f.Marker},
		{"ID", "id", f.ID},
		{"ServerGroup", "server_group_id", f.ServerGroup},
		{"ConsistencyGroup", "replication_consistency_group_id", f.ConsistencyGroup},
		{"ResourceType", "resource_type", f.ResourceType},
		{"StartTime", "start_time", f.StartTime},
	} {
		if q.value != "" {
			b.WithRequestField(def.NewFieldDef().WithName(q.name).WithJsonTag(q.tag).WithLocationType(def.Query))
		}
	}
	if r.body != "" {
		b.WithRequestField(def.NewFieldDef().WithName("Body").WithLocationType(def.Body))
	}
	return f, b.Build()
}

// do makes one call, a read once more when its keys were refused and others are
// there by now: the keys were changed while it was on its way. The exchange is
// never nil. err is nil only for a whole answer with a status below 300; it
// holds no secret.
func (c *Client) do(ctx context.Context, op provider.Op, r request) (*provider.Exchange, error) {
	sdk, cred, err := c.client()
	if err != nil {
		return &provider.Exchange{}, err
	}
	ex, err := c.once(ctx, sdk, cred, op, r)
	if ex.Status != http.StatusUnauthorized || !c.settings.KeysRefused(op, cred) {
		return ex, err
	}
	if sdk, cred, err = c.client(); err != nil {
		return ex, err
	}
	return c.once(ctx, sdk, cred, op, r)
}

// once makes one call through the SDK, which signs, sends by our transport and
// reads error bodies.
func (c *Client) once(ctx context.Context, sdk *core.HcHttpClient, cred provider.Credentials, op provider.Op, r request) (*provider.Exchange, error) {
	op.Unread = !op.Action
	id, ex, done := c.transport.Begin(ctx, op)
	defer done()
	f, d := define(r)
	err := provider.Guard(func() error {
		_, err := sdk.SyncInvokeWithExtraHeaders(f, d, &exchange.SdkExchange{ApiReference: &exchange.ApiReference{}, Attributes: map[string]any{}},
			map[string]string{provider.OpHeader: id})
		return err
	})
	var refused *sdkerr.ServiceResponseError
	switch {
	case ex.Err != nil:
		return ex, ex.Err
	case err == nil:
		return ex, nil
	case ex.Status >= 400 && errors.As(err, &refused):
		e := answerError(ex, refused, cred)
		if e.Status/100 == 4 && classOf(e, nil) == provider.CodeThrottled {
			c.settings.Throttled(op.Name, ex)
		}
		return ex, e
	}
	return ex, ex.Redact(err, cred.Secrets()...)
}
