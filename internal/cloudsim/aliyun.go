package cloudsim

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// readParams puts the query and a form body together: Alibaba takes parameters
// from both.
func (q *request) readParams() {
	q.params = url.Values{}
	for k, v := range q.query {
		q.params[k] = append(q.params[k], v...)
	}
	if strings.HasPrefix(q.http.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		form, err := url.ParseQuery(string(q.body))
		if err != nil {
			return // what cannot be read is not signed either, and the signature says so
		}
		for k, v := range form {
			q.params[k] = append(q.params[k], v...)
		}
	}
}

func (q *request) isACS3() bool {
	return strings.HasPrefix(q.http.Header.Get("Authorization"), acs3Scheme)
}

// routeRPC finds the operation by its name.
func routeRPC(routes map[string]route) func(q *request) (route, bool) {
	return func(q *request) (route, bool) {
		name := q.params.Get("Action")
		if q.isACS3() {
			name = q.http.Header.Get("X-Acs-Action")
		}
		q.group = or(q.params.Get("ReplicaGroupId"), q.params.Get("GroupId")) // the latter names it for drills
		r, ok := routes[name]
		return r, ok
	}
}

func authenticateAliyun(q *request, now time.Time) *answer {
	c := q.ep.cloud
	var (
		key   Credential
		bad   *refusal
		nonce string
	)
	if q.isACS3() {
		key, bad = verifyACS3(q.http, q.body, q.query, q.ep.version(), now, c.credential)
		nonce = q.http.Header.Get("X-Acs-Signature-Nonce")
	} else {
		key, bad = verifyRPC(q.http.Method, q.params, q.ep.version(), now, c.credential)
		nonce = q.params.Get("SignatureNonce")
	}
	if bad == nil && !c.nonces.use(nonce, now) {
		bad = &refusal{http.StatusBadRequest, "SignatureNonceUsed", "Specified signature nonce was used already."}
	}
	if bad != nil {
		a := q.aliyunError(bad.status, bad.code, bad.message)
		return &a
	}
	q.key = key
	return nil
}

// aliyunError is an error as the gateway and EBS word it.
func (q *request) aliyunError(status int, code, message string) answer {
	return answer{status: status, value: object{
		"RequestId": q.id, "HostId": q.http.Host, "Code": code, "Message": message,
		"Recommend": "https://next.api.aliyun.com/troubleshoot?q=" + code + "&product=ebs",
	}}
}

func aliyunDialect() dialect {
	return dialect{
		noSuchCall: func(q *request) answer {
			return q.aliyunError(http.StatusNotFound, "InvalidAction.NotFound", "Specified api is not found, please check your url and method.")
		},
		forbidden: func(q *request) answer {
			return q.aliyunError(http.StatusForbidden, "Forbidden.Action", "User not authorized to operate on the specified resource.")
		},
		throttled: func(q *request) answer {
			return q.aliyunError(http.StatusBadRequest, "Throttling.User", "Request was denied due to user flow control.")
		},
		skewed: func(q *request) answer {
			return q.aliyunError(http.StatusBadRequest, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")
		},
		internal: func(q *request) answer {
			return q.aliyunError(http.StatusInternalServerError, "InternalError", "The request processing has failed due to some unknown error.")
		},
		okWithError: func(*request) answer {
			return answer{status: http.StatusOK, value: object{"Code": "Failed", "Message": "The operation was not carried out."}}
		},
		numericCode: func(q *request) answer {
			return answer{status: http.StatusInternalServerError, value: object{"RequestId": q.id, "Code": 500, "Message": "internal error"}}
		},
	}
}
