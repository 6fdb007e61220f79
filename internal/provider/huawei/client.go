package huawei

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/config"

	"github.com/drwatch/drwatch/internal/provider"
)

// Client calls one endpoint for one project. Safe for concurrent use.
type Client struct {
	settings  provider.Settings
	transport *provider.Transport

	mu     sync.Mutex
	signed provider.Credentials // what sdk was built with
	sdk    *core.HcHttpClient
}

// NewClient checks the settings and builds a client. It sends nothing and
// reads no credentials: those are read before each call.
func NewClient(s provider.Settings) (*Client, error) {
	if err := provider.ValidID(s.ProjectID); err != nil {
		return nil, fmt.Errorf("account %s: project_id: %w", s.Account, err)
	}
	return newClient(s)
}

// newClient is NewClient for services without projects too.
func newClient(s provider.Settings) (*Client, error) {
	u, err := url.Parse(s.Endpoint)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") || (u.Path != "" && u.Path != "/") {
		return nil, fmt.Errorf("account %s: endpoint: want https://HOST without a path or user", s.Account)
	}
	if s.Credentials == nil || s.Now == nil {
		return nil, fmt.Errorf("account %s: a client needs credentials and a clock", s.Account)
	}
	s.Endpoint = u.Scheme + "://" + u.Host
	if s.Meter == nil {
		s.Meter = provider.NopMeter{}
	}
	if s.TimeZone == nil {
		s.TimeZone = time.UTC
	}
	if s.UserAgent == "" {
		s.UserAgent = "drwatch" // without one the SDK writes a file into the home directory
	}
	return &Client{settings: s, transport: provider.TransportFor(s)}, nil
}

// Settings are those that the client works with, defaults filled in.
func (c *Client) Settings() provider.Settings { return c.settings }

// Answer is what a read was answered with: one JSON object.
type Answer struct {
	Object
	At   time.Time // when it was asked for, by our clock: a slow answer is not a clock that is ahead
	Date time.Time // when it was made, by the provider's; zero when not told
}

// Query is what the three services are asked with. Empty fields are not sent.
type Query struct {
	Limit, Offset, Marker         string
	ID                            string
	ServerGroup, ConsistencyGroup string
	ResourceType, StartTime       string
}

// Get reads one object. path has {project_id} for the project and must not
// hold an id that provider.ValidID refuses. Only status 200 with one JSON
// object is an answer; all else is an error, an *Error when the provider gave
// one.
func (c *Client) Get(ctx context.Context, operation, path string, q Query, problems *Problems) (Answer, error) {
	ex, err := c.do(ctx, provider.Op{Name: operation}, request{method: http.MethodGet, path: path, query: q, contentType: "application/json"})
	if err == nil && ex.Status != http.StatusOK {
		err = fmt.Errorf("%w: status %d where only 200 is an answer", ErrUnreadable, ex.Status)
	}
	var o Object
	if err == nil {
		if o, err = parseObject(ex.Body, operation, problems); err != nil {
			err = ex.Redact(fmt.Errorf("%w: %s", err, excerpt(ex)))
		}
	}
	if err != nil {
		return Answer{}, fmt.Errorf("account %s: %s: %w", c.settings.Account, operation, err)
	}
	return Answer{Object: o, At: ex.Began, Date: ex.Date}, nil
}

// ErrUnreadable is what a read returns when an answer came and is not what the
// vendor documents: no JSON object, or without the member that was asked for.
var ErrUnreadable = errors.New("the answer cannot be read")

// errNoCredentials says what to do; the SDK would ask the machine's metadata
// address instead.
var errNoCredentials = errors.New("the access key or the secret key is empty: check the account's credentials")

// client is the SDK's client for the present credentials, built anew when they
// changed.
func (c *Client) client() (*core.HcHttpClient, provider.Credentials, error) {
	cred, err := c.settings.Credentials()
	if err != nil {
		return nil, cred, fmt.Errorf("reading the credentials: %w", err)
	}
	if cred.AccessKey == "" || cred.SecretKey == "" {
		return nil, cred, errNoCredentials
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sdk == nil || cred != c.signed {
		if c.sdk, err = c.build(cred); err != nil {
			return nil, cred, err
		}
		c.signed = cred
	}
	return c.sdk, cred, nil
}

func (c *Client) build(cred provider.Credentials) (sdk *core.HcHttpClient, err error) {
	err = provider.Guard(func() error {
		signer, err := basic.NewCredentialsBuilder().WithAk(cred.AccessKey).WithSk(cred.SecretKey).
			WithSecurityToken(cred.SecurityToken).WithProjectId(c.settings.ProjectID).SafeBuild()
		if err != nil {
			return err
		}
		// No timeout of the SDK's own: the transport's deadlines hold, and the
		// wait for the request rate must not count against them.
		cfg := config.DefaultHttpConfig().WithUserAgent(c.settings.UserAgent).WithTimeout(0).WithHttpRoundTripper(c.transport)
		sdk, err = core.NewHcHttpClientBuilder().WithEndpoints([]string{c.settings.Endpoint}).
			WithCredential(signer).WithHttpConfig(cfg).SafeBuild()
		return err
	})
	if err != nil {
		return nil, provider.Redact(fmt.Errorf("building the client: %w", err), cred.Secrets()...)
	}
	return sdk, nil
}
