package cloudsim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// restRoute is an operation at a method and a path. The path's variables are
// {project}, {group} and {id}. With a body key, the operation is chosen by the
// one key of the JSON body.
type restRoute struct {
	method, path, bodyKey string
	route
}

// routeREST matches requests against the routes.
func routeREST(routes []restRoute) func(q *request) (route, bool) {
	return func(q *request) (route, bool) {
		got := strings.Split(strings.TrimPrefix(q.http.URL.Path, "/"), "/")
		key := ""
		for _, r := range routes {
			if r.method != q.http.Method || !q.matches(strings.Split(r.path[1:], "/"), got) {
				continue
			}
			if r.bodyKey == "" {
				return r.route, true
			}
			if key == "" {
				key = soleKey(q.body)
			}
			if r.bodyKey == key {
				return r.route, true
			}
		}
		return route{}, false
	}
}

func (q *request) matches(want, got []string) bool {
	if len(want) != len(got) {
		return false
	}
	for i, w := range want {
		if !strings.HasPrefix(w, "{") && w != got[i] {
			return false
		}
	}
	for i, w := range want {
		if strings.HasPrefix(w, "{") {
			q.path[strings.Trim(w, "{}")] = got[i]
		}
	}
	q.group = q.path["group"]
	return true
}

// soleKey is the key of a JSON object that has exactly one.
func soleKey(body []byte) string {
	var m map[string]json.RawMessage
	if json.Unmarshal(body, &m) != nil || len(m) != 1 {
		return ""
	}
	for k := range m {
		return k
	}
	return ""
}

func authenticateHuawei(q *request, now time.Time) *answer {
	c := q.ep.cloud
	key, err := verifyHuawei(q.http, q.body, now, c.credential)
	if err != nil {
		return unauthorized(q, err.Error())
	}
	q.key = key
	for _, project := range []string{q.path["project"], q.http.Header.Get("X-Project-Id")} {
		if project != "" && project != c.o.ProjectID {
			return unauthorized(q, "the project "+strconv.Quote(project)+" is not the access key's")
		}
	}
	return nil
}

func unauthorized(q *request, why string) *answer {
	a := gateway(q, http.StatusUnauthorized, "APIGW.0301", "Incorrect IAM authentication information: "+why)
	return &a
}

// gateway is an error of the API gateway.
func gateway(q *request, status int, code, message string) answer {
	return answer{status: status, value: object{"error_msg": message, "error_code": code, "request_id": q.id}}
}

func huaweiDialect() dialect {
	return dialect{
		noSuchCall: func(q *request) answer {
			return gateway(q, http.StatusNotFound, "APIGW.0101", "The API does not exist or has not been published in the environment")
		},
		forbidden: func(q *request) answer {
			return gateway(q, http.StatusForbidden, "APIGW.0302", "The IAM user is not authorized to access the API")
		},
		throttled: func(q *request) answer {
			return gateway(q, http.StatusTooManyRequests, "APIGW.0308", "The throttling threshold has been reached: policy user over ratelimit,limit:10,time:1 minute")
		},
		skewed: func(q *request) answer {
			return *unauthorized(q, "signature expired, the request time differs from the server time by more than 15 minutes")
		},
		internal: func(q *request) answer {
			return gateway(q, http.StatusInternalServerError, "APIGW.0106", "The backend did not answer")
		},
		okWithError: func(q *request) answer {
			return gateway(q, http.StatusOK, "Common.0013", "The operation was not carried out")
		},
		numericCode: func(q *request) answer {
			return answer{status: http.StatusInternalServerError, value: object{"error_code": 500, "error_msg": "internal error", "request_id": q.id}}
		},
	}
}

// page cuts a list by offset and limit.
func page[T any](list []T, offset, limit int) []T {
	if offset >= len(list) {
		return nil
	}
	return list[offset:min(len(list), offset+limit)]
}

// number reads a decimal query parameter; the fallback stands for an absent one.
func (q *request) number(name string, fallback int) (int, bool) {
	text := q.param(name)
	if text == "" {
		return fallback, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}

// idList reads ids from a text such as ['a','b'] or a,b.
func idList(text string) []string {
	text = strings.Trim(text, "[]")
	if text == "" {
		return nil
	}
	ids := strings.Split(text, ",")
	for i, id := range ids {
		ids[i] = strings.Trim(id, ` '"`)
	}
	return ids
}

// oneOf tells whether the value is listed; an empty list allows everything.
func oneOf(list []string, value string) bool {
	return len(list) == 0 || slices.Contains(list, value)
}

// equalOr tells whether a filter, if given, equals the value.
func equalOr(filter, value string) bool { return filter == "" || filter == value }

// visible is the list as the endpoint shows it now: with a filter only what it
// keeps.
func visible[T any](list []T, filtered bool, keep func(T) bool) []T {
	if !filtered {
		return list
	}
	var out []T
	for _, x := range list {
		if keep(x) {
			out = append(out, x)
		}
	}
	return out
}
