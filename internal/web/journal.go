package web

import (
	"fmt"
	"net/http"
	"strconv"
)

// listed is how many incidents are shown when nobody says how many, and
// maxListed how many may be asked for.
const (
	listed    = 1000
	maxListed = 10000
)

// incidents are the newest, as many as ?limit= says.
func (h handler) incidents(r *http.Request) (any, error) {
	limit := listed
	if text := r.FormValue("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxListed {
			return nil, badRequest(fmt.Sprintf("limit=%q: want a number from 1 to %d", text, maxListed))
		}
		limit = n
	}
	return h.o.View.Incidents(limit), nil
}
