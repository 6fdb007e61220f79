package cloudsim

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ebsList reads Site, cuts the list as the request asks and names it as the API
// does.
func ebsList[T, V any](q *request, list []T, name string, view func(T) V) answer {
	w, bad := q.ebsWindow()
	if bad != nil {
		return *bad
	}
	cut := page(list, w.offset, w.size)
	views := make([]V, 0, len(cut))
	for _, x := range cut {
		views = append(views, view(x))
	}
	out := object{"RequestId": q.id, name: views, "TotalCount": len(list), "NextToken": "", "PageNumber": w.page, "PageSize": w.size}
	if w.tokens {
		out["TotalCount"] = 0 // without meaning when tokens are used
		if next := w.offset + len(cut); next < len(list) {
			out["NextToken"] = ebsToken(next)
		}
	}
	return ok(out)
}

// ebsWindow is the part of a list that a request asks for.
type ebsWindow struct {
	offset, size, page int
	tokens             bool
}

// ebsWindow reads MaxResults and NextToken, which win over PageNumber and
// PageSize. Without any of them it is the first ten by token.
func (q *request) ebsWindow() (ebsWindow, *answer) {
	refuse := func(name string) (ebsWindow, *answer) {
		a := q.aliyunError(http.StatusBadRequest, "InvalidParameter."+name, "The specified parameter "+name+" is not valid.")
		return ebsWindow{}, &a
	}
	byToken := q.param("MaxResults") != "" || q.param("NextToken") != ""
	if !byToken && q.param("PageNumber")+q.param("PageSize") != "" {
		n, good := q.number("PageNumber", 1)
		size, good2 := q.number("PageSize", 10)
		if !good || n < 1 {
			return refuse("PageNumber")
		}
		if !good2 || size < 1 || size > 100 {
			return refuse("PageSize")
		}
		return ebsWindow{offset: (n - 1) * size, size: size, page: n}, nil
	}
	size, good := q.number("MaxResults", 10)
	if !good || size < 1 || size > 500 {
		return refuse("MaxResults")
	}
	w := ebsWindow{size: size, tokens: true, page: 1}
	if t := q.param("NextToken"); t != "" {
		if w.offset, good = ebsOffset(t); !good {
			return refuse("NextToken")
		}
	}
	return w, nil
}

// ebsToken hides an offset in an opaque token.
func ebsToken(offset int) string {
	return base64.RawURLEncoding.EncodeToString([]byte("ebs:" + strconv.Itoa(offset)))
}

func ebsOffset(token string) (int, bool) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	digits, isOurs := strings.CutPrefix(string(b), "ebs:")
	n, err2 := strconv.Atoi(digits)
	return n, err == nil && err2 == nil && isOurs && n >= 0
}

// ebsShelf is the list of the endpoint's region for the Site that is asked for.
func (q *request) ebsShelf() (*shelf, string, *answer) {
	if bad := q.checkRegion(); bad != nil {
		return nil, "", bad
	}
	site := or(q.param("Site"), siteProduction)
	if site != siteProduction && site != siteBackup {
		a := q.aliyunError(http.StatusBadRequest, "InvalidParameter.Site", "The Site must be production or backup.")
		return nil, "", &a
	}
	return q.ep.cloud.shelf(shelfKey{q.ep.Provider, q.ep.Region, site}), site, nil
}

// tagFilter reads Tag.N.Key and Tag.N.Value.
func (q *request) tagFilter() map[string]string {
	want := map[string]string{}
	for n := 1; q.params.Has(fmt.Sprintf("Tag.%d.Key", n)); n++ {
		want[q.param(fmt.Sprintf("Tag.%d.Key", n))] = q.param(fmt.Sprintf("Tag.%d.Value", n))
	}
	return want
}

func (g *group) hasTags(want map[string]string) bool {
	for k, v := range want {
		if have, ok := g.ebs.tags[k]; !ok || !equalOr(v, have) {
			return false
		}
	}
	return true
}

func ebsGroups(_ *Cloud, q *request, now time.Time) answer {
	sh, site, bad := q.ebsShelf()
	if bad != nil {
		return *bad
	}
	ids, resource, tags := idList(q.param("GroupIds")), q.param("ResourceGroupId"), q.tagFilter()
	if len(ids) > 100 {
		return q.aliyunError(http.StatusBadRequest, "InvalidParameter.GroupIds", "At most 100 GroupIds can be given.")
	}
	list := visible(sh.groups, len(ids)+len(tags) > 0 || resource != "", func(g *group) bool {
		return oneOf(ids, g.id) && equalOr(resource, g.ebs.resource) && g.hasTags(tags)
	})
	return ebsList(q, list, "ReplicaGroups", func(g *group) ebsGroupView { return ebsGroupOf(q.fault.seen(g), site, now) })
}

func ebsPairs(_ *Cloud, q *request, now time.Time) answer {
	sh, site, bad := q.ebsShelf()
	if bad != nil {
		return *bad
	}
	ids, in, resource, tags := idList(q.param("PairIds")), q.param("ReplicaGroupId"), q.param("ResourceGroupId"), q.tagFilter()
	if len(ids) > 100 {
		return q.aliyunError(http.StatusBadRequest, "InvalidParameter.PairIds", "At most 100 PairIds can be given.")
	}
	list := visible(sh.pairs, len(ids)+len(tags) > 0 || in+resource != "", func(p *pair) bool {
		return oneOf(ids, p.id) && equalOr(in, p.group.id) && equalOr(resource, p.group.ebs.resource) && p.group.hasTags(tags)
	})
	return ebsList(q, list, "ReplicaPairs", func(p *pair) ebsPairView { return ebsPairOf(p, q.fault.seen(p.group), site, now) })
}

func ebsProgress(c *Cloud, q *request, now time.Time) answer {
	if bad := q.checkRegion(); bad != nil {
		return *bad
	}
	for _, site := range []string{siteProduction, siteBackup} {
		for _, p := range c.shelf(shelfKey{q.ep.Provider, q.ep.Region, site}).pairs {
			if p.id == q.param("ReplicaPairId") {
				g := q.fault.seen(p.group)
				return ok(object{"RequestId": q.id, "Progress": ebsPercent(g, now), "RecoverPoint": unix(g.clock.at(now))})
			}
		}
	}
	return q.aliyunError(http.StatusNotFound, "NoSuchResource", "The specified resource does not exist.")
}
