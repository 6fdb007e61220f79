package ebs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"

	"github.com/drwatch/drwatch/internal/provider"
)

const (
	apiVersion = "2021-07-30"
	// sdkTimeout is the SDK's own bound on a call. The Transport ends calls much
	// sooner; this one must only never be the first.
	sdkTimeout = time.Hour
)

// validRegion is what the SDK takes for a region.
var validRegion = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

// client makes calls of one region. Safe for concurrent use.
type client struct {
	s         provider.Settings
	transport *provider.Transport
	product   string // "ebs" or "sts"
	version   string // of the product's API
	scheme    string // "HTTPS", or "HTTP" when the endpoint says so
	domain    string // host[:port]; always set, or the SDK would ask the Location service
}

func newClient(s provider.Settings) (*client, error) { return newClientOf("ebs", apiVersion, s) }

func newClientOf(product, version string, s provider.Settings) (*client, error) {
	if !validRegion.MatchString(s.Region) {
		return nil, fmt.Errorf("account %s: region %q is no region of Alibaba Cloud: want one like cn-shanghai", s.Account, s.Region)
	}
	if s.Endpoint == "" {
		s.Endpoint = "https://" + product + "." + s.Region + ".aliyuncs.com"
	}
	u, err := url.Parse(s.Endpoint)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("account %s: the endpoint must be https://HOST or http://HOST:PORT without a path", s.Account)
	}
	if s.Credentials == nil || s.Now == nil {
		return nil, fmt.Errorf("account %s: credentials and a clock are required", s.Account)
	}
	if s.Meter == nil {
		s.Meter = provider.NopMeter{}
	}
	return &client{s: s, transport: provider.TransportFor(s), product: product, version: version, scheme: strings.ToUpper(u.Scheme), domain: u.Host}, nil
}

// reply is what is known after one call.
type reply struct {
	*provider.Exchange
	answer answer // decoded as far as it could be
	err    error  // why there is no good answer: redacted; nil for a 2xx without an error code
}

// call makes one request, for a read another one when its keys were refused and
// others are there by now: the keys were changed while it was on its way.
func (c *client) call(ctx context.Context, op provider.Op, params map[string]string) reply {
	r, used := c.once(ctx, op, params)
	if !keysRefused(r.Status, r.answer.code) || !c.s.KeysRefused(op, used) {
		return r
	}
	r, _ = c.once(ctx, op, params)
	return r
}

// once makes one request: POST, RPC style, everything in the signed query. Each
// has an SDK client of its own, since the SDK's are not safe for concurrent use
// and keep what one request sets for the next.
func (c *client) once(ctx context.Context, op provider.Op, params map[string]string) (reply, provider.Credentials) {
	op.Unread = !op.Action
	id, ex, done := c.transport.Begin(ctx, op)
	defer done()
	var creds provider.Credentials
	err := provider.Guard(func() (err error) {
		if creds, err = c.s.Credentials(); err != nil {
			return fmt.Errorf("credentials: %w", err)
		}
		return c.send(creds, id, op, params)
	})
	r := reply{Exchange: ex}
	if ex.Err == nil && ex.Status != 0 {
		r.answer = decodeAnswer(ex.Body)
		r.answer.requestID = ex.RedactText(r.answer.requestID)
	}
	r.err = r.judge(err)
	if r.err != nil {
		r.err = ex.Redact(fmt.Errorf("%s in %s: %w", op.Name, c.s.Region, r.err), creds.Secrets()...)
	}
	if r.code() == provider.CodeThrottled {
		c.s.Throttled(op.Name, ex)
	}
	return r, creds
}

// judge says why the call has no good answer. What was seen on the wire comes
// before what the SDK made of it.
func (r reply) judge(sdkErr error) error {
	switch {
	case r.Exchange.Err != nil:
		return r.Exchange.Err
	case r.Status == 0 && sdkErr != nil:
		return sdkErr
	case r.Status == 0:
		return errors.New("the SDK sent nothing")
	case !r.answer.isObject:
		return fmt.Errorf("status %d: the answer is no JSON object; is the endpoint really the provider's? It begins %q", r.Status, r.Beginning(80))
	case !r.OK() || r.answer.code != "":
		return fmt.Errorf("status %d, code %q: %s (request %s)", r.Status, r.answer.code, r.answer.message, r.answer.requestID)
	}
	return nil
}

// code is the class of the answer's error code.
func (r reply) code() provider.CodeClass { return classOf(r.answer.code) }

// send signs and sends through the SDK.
func (c *client) send(creds provider.Credentials, id string, op provider.Op, params map[string]string) error {
	if creds.AccessKey == "" || creds.SecretKey == "" {
		return errors.New("the access key or its secret is empty")
	}
	var signer auth.Credential = credentials.NewStaticAKCredentialsProvider(creds.AccessKey, creds.SecretKey)
	if creds.SecurityToken != "" {
		signer = credentials.NewStaticSTSCredentialsProvider(creds.AccessKey, creds.SecretKey, creds.SecurityToken)
	}
	config := sdk.NewConfig().WithScheme(c.scheme).WithAutoRetry(false).WithTimeout(sdkTimeout).WithUserAgent(c.s.UserAgent)
	config.Transport = c.transport
	k, err := sdk.NewClientWithOptions(c.s.Region, config, signer)
	if err != nil {
		return err
	}
	k.SetCloseTrace(true)
	// Named, so that the SDK does not read the environment: a NO_PROXY that is
	// no regular expression would fail every call. Our Transport uses none.
	k.SetNoProxy("unused")
	k.SetHttpProxy("http://unused.invalid")
	k.SetHttpsProxy("http://unused.invalid")

	req := requests.NewCommonRequest()
	req.Method, req.Product, req.Version, req.ApiName = requests.POST, c.product, c.version, op.Name
	req.Scheme, req.Domain, req.RegionId = c.scheme, c.domain, c.s.Region
	maps.Copy(req.QueryParams, params)
	req.Headers[provider.OpHeader] = id
	_, err = k.ProcessCommonRequest(req)
	return err
}
