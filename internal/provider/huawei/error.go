package huawei

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"

	"github.com/drwatch/drwatch/internal/provider"
)

// Error is an answer of the provider with a status of 400 or above. It holds
// no secret and is errors.Is(provider.ErrNotFound) when the provider says that
// what was asked for does not exist.
type Error struct {
	Status    int
	Code      string // the vendor's, or the name of an OpenStack fault such as itemNotFound; "" when none
	Message   string // one line
	RequestID string
}

// Error is one line for a person.
func (e *Error) Error() string {
	text := "the provider answered " + strconv.Itoa(e.Status)
	if e.Code != "" {
		text += " " + e.Code
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.RequestID != "" {
		text += " (request " + e.RequestID + ")"
	}
	return text
}

// Is makes the documented ways to say "does not exist" one. SDRS and DWS say
// it with status 400.
func (e *Error) Is(target error) bool {
	if target != provider.ErrNotFound {
		return false
	}
	switch e.Code {
	case "SDRS.1013", "DWS.10101", "itemNotFound":
		return true
	}
	// Without a code the 404 may be a proxy's, with one of the gateway's it
	// tells of the path.
	return e.Status == http.StatusNotFound && e.Code != "" && !strings.HasPrefix(e.Code, "APIG")
}

// answerError makes an Error of what the SDK read of an error body. The SDK
// leaves OpenStack's bodies, whose code is a number, to us.
func answerError(ex *provider.Exchange, read *sdkerr.ServiceResponseError, cred provider.Credentials) *Error {
	e := &Error{Status: ex.Status, Code: read.ErrorCode, Message: read.ErrorMessage, RequestID: ex.RequestID}
	switch name, message, faults := openStackFault(ex.Body); {
	case faults > 1:
		e.Code = "" // the SDK took one of them at random
	case faults == 1 && e.Code == "":
		e.Code, e.Message = name, message
	}
	clean := func(text string) string {
		return strings.TrimSpace(ex.Redact(fmt.Errorf("%s", text), cred.Secrets()...).Error())
	}
	e.Code, e.Message = clean(e.Code), clean(e.Message)
	if len(e.Code) > 100 {
		e.Code = ""
	}
	return e
}

// openStackFault reads {"badRequest":{"message":"…","code":400}}, whose
// member's name says what is wrong. faults counts such members.
func openStackFault(body []byte) (name, message string, faults int) {
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil {
		return "", "", 0
	}
	for member, raw := range members {
		var fault struct {
			Message *string `json:"message"`
		}
		if json.Unmarshal(raw, &fault) == nil && fault.Message != nil {
			name, message = member, *fault.Message
			faults++
		}
	}
	return name, message, faults
}

// classOf tells what the code of a 4xx proves. Only what the vendor documents
// as "refused" is CodeRefused; a code that nobody documents may come from
// something that failed half way.
func classOf(e *Error, refusals map[string]bool) provider.CodeClass {
	gateway := strings.HasPrefix(e.Code, "APIGW.") || strings.HasPrefix(e.Code, "APIG.")
	switch {
	case gateway && strings.HasSuffix(e.Code, ".0308"):
		return provider.CodeThrottled
	case gateway, refusals[e.Code]:
		return provider.CodeRefused
	}
	return provider.CodeUnknown
}

// errorCodeIn finds an error code in an answer of any status: an answer of 2xx
// that has one is no success.
func errorCodeIn(body []byte) string {
	var flat map[string]any
	if json.Unmarshal(body, &flat) != nil {
		return ""
	}
	for _, name := range []string{"error_code", "errCode", "code", "error"} {
		switch code := flat[name].(type) {
		case nil:
		case string:
			if code != "" {
				return code
			}
		default:
			return name
		}
	}
	return ""
}
