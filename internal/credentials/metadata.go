package credentials

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// The metadata services of the two clouds. Both answer on the machine itself
// only, and not by TLS.
const (
	HuaweiMetadata = "http://169.254.169.254"
	AliyunMetadata = "http://100.100.100.200"
)

const (
	metadataTimeout = 3 * time.Second // for all requests of one refresh
	maxMetadata     = 64 << 10        // bytes of one answer
	tokenLife       = "21600"         // seconds; the most that both services allow
)

// metadata asks the metadata service of one cloud.
type metadata struct {
	address     string // scheme and host
	tokenPath   string
	lifeHeader  string // of the request for a token: its life in seconds
	tokenHeader string // of every other request
	issue       func(get getter) (Keys, error)
	client      *http.Client
}

// getter reads one document of the service.
type getter func(path string) ([]byte, error)

// NewHuawei asks the metadata service of a Huawei Cloud server for the keys of
// the agency that is bound to it ("Obtaining ECS Details Using Metadata",
// securitykey). address is HuaweiMetadata but in tests.
func NewHuawei(address string) Issuer {
	return &metadata{
		address: address, tokenPath: "/meta-data/latest/api/token",
		lifeHeader: "X-Metadata-Token-Ttl-Seconds", tokenHeader: "X-Metadata-Token",
		issue: issueHuawei, client: metadataClient(),
	}
}

// NewAliyun asks the metadata service of an Alibaba Cloud server for the keys of
// the RAM role that is attached to it ("Instance RAM roles", security hardening
// mode). address is AliyunMetadata but in tests.
func NewAliyun(address string) Issuer {
	return &metadata{
		address: address, tokenPath: "/latest/api/token",
		lifeHeader: "X-aliyun-ecs-metadata-token-ttl-seconds", tokenHeader: "X-aliyun-ecs-metadata-token",
		issue: issueAliyun, client: metadataClient(),
	}
}

// metadataClient uses no proxy, follows no redirect and leaves no connection:
// the next question comes hours later.
func metadataClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:       (&net.Dialer{Timeout: metadataTimeout}).DialContext,
			DisableKeepAlives: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Issue asks for the keys within 3 s.
func (m *metadata) Issue(ctx context.Context) (Keys, error) {
	ctx, cancel := context.WithTimeout(ctx, metadataTimeout)
	defer cancel()
	token, err := m.token(ctx)
	if err != nil {
		return Keys{}, fmt.Errorf("metadata service %s: %w", m.address, err)
	}
	keys, err := m.issue(func(path string) ([]byte, error) {
		status, body, err := m.ask(ctx, http.MethodGet, path, m.tokenHeader, token)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("GET %s: status %d: %w", path, status, errNoRole)
		}
		return body, err
	})
	if err != nil {
		return Keys{}, fmt.Errorf("metadata service %s: %w", m.address, err)
	}
	return keys, nil
}

var (
	errNoRole = errors.New("bind an agency (Huawei Cloud) or attach a RAM role (Alibaba Cloud) to this machine")
	tokenForm = regexp.MustCompile(`^[[:graph:]]+$`)
	roleForm  = regexp.MustCompile(`^[A-Za-z0-9._@-]{1,64}$`)
)

// token gets what each other request must show. Services of before that are
// asked without.
func (m *metadata) token(ctx context.Context) (string, error) {
	status, body, err := m.ask(ctx, http.MethodPut, m.tokenPath, m.lifeHeader, tokenLife)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(body))
	switch status {
	case http.StatusOK:
		if !tokenForm.MatchString(token) {
			return "", fmt.Errorf("PUT %s: the answer is no token", m.tokenPath)
		}
		return token, nil
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusServiceUnavailable:
		return "", nil
	}
	return "", fmt.Errorf("PUT %s: status %d", m.tokenPath, status)
}

// ask makes one request with one header. Its error holds nothing of the answer.
func (m *metadata) ask(ctx context.Context, method, path, header, value string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, m.address+path, http.NoBody)
	if err != nil {
		return 0, nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if value != "" {
		req.Header.Set(header, value)
	}
	resp, err := m.client.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("no answer, is this a machine of that cloud? %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxMetadata+1))
	if err != nil {
		return 0, nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if len(body) > maxMetadata {
		return 0, nil, fmt.Errorf("%s %s: the answer is larger than %d KiB", method, path, maxMetadata>>10)
	}
	return resp.StatusCode, body, nil
}

func issueHuawei(get getter) (Keys, error) {
	doc, err := get("/openstack/latest/securitykey")
	if err != nil {
		return Keys{}, err
	}
	return parseHuawei(doc)
}

func issueAliyun(get getter) (Keys, error) {
	const path = "/latest/meta-data/ram/security-credentials/"
	list, err := get(path)
	if err != nil {
		return Keys{}, err
	}
	role, _, _ := strings.Cut(strings.TrimSpace(string(list)), "\n")
	if role = strings.TrimSpace(role); !roleForm.MatchString(role) {
		return Keys{}, fmt.Errorf("GET %s: the answer is no name of a role: %w", path, errNoRole)
	}
	doc, err := get(path + role)
	if err != nil {
		return Keys{}, err
	}
	return parseAliyun(doc)
}

// parseHuawei reads a securitykey document.
func parseHuawei(doc []byte) (Keys, error) {
	var d struct {
		Credential struct {
			Access        string `json:"access"`
			Secret        string `json:"secret"`
			SecurityToken string `json:"securitytoken"`
			Expires       string `json:"expires_at"`
		} `json:"credential"`
	}
	if json.Unmarshal(doc, &d) != nil { // its words may repeat a secret
		return Keys{}, fmt.Errorf("%w: it is not the JSON that is documented", errUnusable)
	}
	c := d.Credential
	return Temporary(c.Access, c.Secret, c.SecurityToken, c.Expires)
}

// parseAliyun reads a security-credentials document.
func parseAliyun(doc []byte) (Keys, error) {
	var d struct {
		Code            string `json:"Code"`
		AccessKeyID     string `json:"AccessKeyId"`
		AccessKeySecret string `json:"AccessKeySecret"`
		SecurityToken   string `json:"SecurityToken"`
		Expiration      string `json:"Expiration"`
	}
	if json.Unmarshal(doc, &d) != nil {
		return Keys{}, fmt.Errorf("%w: it is not the JSON that is documented", errUnusable)
	}
	if d.Code != "Success" {
		return Keys{}, fmt.Errorf("%w: its Code is not Success", errUnusable)
	}
	return Temporary(d.AccessKeyID, d.AccessKeySecret, d.SecurityToken, d.Expiration)
}
