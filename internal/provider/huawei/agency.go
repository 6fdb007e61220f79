package huawei

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
)

const assumeAgency = "CreateTemporaryAccessKeyByAgency"

// Agency is what another account of Huawei Cloud has delegated to the one whose
// keys are used.
type Agency struct {
	Name     string
	Domain   string        // the name of the account that made the agency
	Duration time.Duration // of the keys' life, in whole seconds: 15 minutes to 24 hours
}

// Assumer gets the temporary keys of an agency from IAM. Safe for concurrent
// use.
type Assumer struct {
	client *Client
	body   string
}

// NewAssumer checks the settings; the project is not used. It sends nothing.
func NewAssumer(s provider.Settings, a Agency) (*Assumer, error) {
	s.ProjectID = "" // that of the agency's account, which is no concern of the keys' own
	c, err := newClient(s)
	if err != nil {
		return nil, err
	}
	type object = map[string]any
	body, err := json.Marshal(object{"auth": object{"identity": object{
		"methods": []string{"assume_role"},
		"assume_role": object{
			"agency_name": a.Name, "domain_name": a.Domain, "duration_seconds": int(a.Duration.Seconds()),
		},
	}}})
	if err != nil {
		return nil, fmt.Errorf("agency %q: %w", a.Name, err)
	}
	return &Assumer{client: c, body: string(body)}, nil
}

// Assume asks once, signed with the keys of the settings ("Obtaining Temporary
// Access Keys and Security Tokens of an Agency"). Its error holds no secret and
// nothing of an answer that may have keys in it.
func (a *Assumer) Assume(ctx context.Context) (provider.Issued, error) {
	ex, err := a.client.do(ctx, provider.Op{Name: assumeAgency}, request{
		method: http.MethodPost, path: "/v3.0/OS-CREDENTIAL/securitytokens", body: a.body, contentType: "application/json;charset=utf8",
	})
	if err != nil {
		return provider.Issued{}, fmt.Errorf("%s: %w", assumeAgency, err)
	}
	var answer struct {
		Credential struct {
			Access        string `json:"access"`
			Secret        string `json:"secret"`
			SecurityToken string `json:"securitytoken"`
			Expires       string `json:"expires_at"`
		} `json:"credential"`
	}
	if json.Unmarshal(ex.Body, &answer) != nil {
		return provider.Issued{}, fmt.Errorf("%s: status %d: %w", assumeAgency, ex.Status, errNoKeys)
	}
	k := answer.Credential
	return provider.Issued{
		Credentials: provider.Credentials{AccessKey: k.Access, SecretKey: k.Secret, SecurityToken: k.SecurityToken}, Expires: k.Expires,
	}, nil
}

var errNoKeys = errors.New("the answer is not the JSON that is documented")
