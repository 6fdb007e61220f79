package cloudsim_test

import (
	"fmt"
	"testing"

	"github.com/drwatch/drwatch/internal/cloudsim"
)

func TestOffsetPaging(t *testing.T) {
	for _, countsPage := range []bool{false, true} {
		l := newLab(t, func(o *cloudsim.Options) { o.SDRSCountsPage = countsPage })
		for i := range 7 {
			must(t)(l.cloud.AddSDRS(cloudsim.SDRSGroup{Name: fmt.Sprint(i), Source: northA, Target: northB, Pairs: 1}))
		}
		seen := ""
		for offset := 0; offset < 9; offset += 3 {
			r := l.get(cloudsim.EndpointSDRS, fmt.Sprintf("%s?limit=3&offset=%d", sdrsGroups, offset))
			page := r.list(t, "server_groups")
			for _, g := range page {
				seen += g["name"].(string)
			}
			want := 7
			if countsPage {
				want = len(page)
			}
			if r.doc["count"] != float64(want) {
				t.Errorf("count %v, want %d", r.doc["count"], want)
			}
		}
		if seen != "0123456" {
			t.Errorf("pages show %s", seen)
		}
		l.want(l.get(cloudsim.EndpointSDRS, sdrsGroups+"?limit=0"), 400, "SDRS.0221")
		l.want(l.get(cloudsim.EndpointSDRS, sdrsGroups+"?limit=1001"), 400, "SDRS.0221")
		l.want(l.get(cloudsim.EndpointSDRS, sdrsGroups+"?offset=-1"), 400, "SDRS.0222")
		l.want(l.get(cloudsim.EndpointSDRS, sdrsGroups+"?offset=7"), 200, `"server_groups":[]`)
		ids := "a"
		for range 30 {
			ids += ",a"
		}
		l.want(l.get(cloudsim.EndpointSDRS, "/v1/{p}/replications?server_group_ids="+ids), 400, "SDRS.0226")
	}
}

func TestMarkerPaging(t *testing.T) {
	l := newLab(t, nil)
	for i := range 5 {
		must(t)(l.cloud.AddEVS(cloudsim.EVSGroup{Name: fmt.Sprint(i), Source: parisA, Target: parisB, Pairs: 2}))
	}
	walk := func(path, list string) (seen, pages int) {
		marker := ""
		for {
			items := l.get(cloudsim.EndpointEVS, path+"?limit=2"+marker).list(t, list)
			if len(items) == 0 {
				return seen, pages
			}
			seen, pages = seen+len(items), pages+1
			marker = "&marker=" + items[len(items)-1]["id"].(string)
		}
	}
	if seen, pages := walk(evsGroups, "replication_consistency_groups"); seen != 5 || pages != 3 {
		t.Errorf("groups: %d on %d pages", seen, pages)
	}
	if seen, pages := walk("/v2/{p}/os-vendor-replications", "replications"); seen != 10 || pages != 5 {
		t.Errorf("pairs: %d on %d pages", seen, pages)
	}
	got := l.get(cloudsim.EndpointEVS, evsGroups+"?offset=3").list(t, "replication_consistency_groups")
	if len(got) != 2 || got[0]["name"] != "3" {
		t.Errorf("by offset: %v", got)
	}
	l.want(l.get(cloudsim.EndpointEVS, evsGroups+"?marker=none"), 400, "marker")
	l.want(l.get(cloudsim.EndpointEVS, evsGroups+"?limit=1001"), 400, "badRequest")
	l.want(l.get(cloudsim.EndpointEVS, evsGroups+"?status=failovered"), 200, `{"replication_consistency_groups":[]}`)
}

func TestTokenAndPagePaging(t *testing.T) {
	l := newLab(t, nil)
	for i := range 5 {
		must(t)(l.cloud.AddEBS(cloudsim.EBSGroup{Name: fmt.Sprint(i), Source: beijing, Target: shanghai, Pairs: 1, Tags: map[string]string{"odd": fmt.Sprint(i % 2)}}))
	}
	for _, at := range []struct{ endpoint, site string }{{primaryEBS, "production"}, {standbyEBS, "backup"}} {
		seen, token, pages := "", "", 0
		for pages < 10 {
			args := []string{"MaxResults", "2", "Site", at.site}
			if token != "" {
				args = append(args, "NextToken", token)
			}
			r := l.ali(at.endpoint, "DescribeDiskReplicaGroups", args...)
			for _, g := range r.list(t, "ReplicaGroups") {
				seen += g["GroupName"].(string)
			}
			pages++
			if token = r.doc["NextToken"].(string); token == "" {
				break
			}
		}
		if seen != "01234" || pages != 3 {
			t.Errorf("%s: %s on %d pages", at.site, seen, pages)
		}
	}
	r := l.ali(primaryEBS, "DescribeDiskReplicaGroups", "PageNumber", "2", "PageSize", "3")
	if got := r.list(t, "ReplicaGroups"); len(got) != 2 || got[0]["GroupName"] != "3" || r.doc["TotalCount"] != 5.0 || r.doc["NextToken"] != "" {
		t.Errorf("page 2: %s", r.body)
	}
	if got := l.ali(primaryEBS, "DescribeDiskReplicaGroups", "Tag.1.Key", "odd", "Tag.1.Value", "1").list(t, "ReplicaGroups"); len(got) != 2 {
		t.Errorf("by tag: %v", got)
	}
	if got := l.ali(standbyEBS, "DescribeDiskReplicaGroups").list(t, "ReplicaGroups"); len(got) != 0 {
		t.Errorf("the standby region shows as production: %v", got)
	}
	l.want(l.ali(primaryEBS, "DescribeDiskReplicaGroups", "MaxResults", "501"), 400, "InvalidParameter.MaxResults")
	l.want(l.ali(primaryEBS, "DescribeDiskReplicaGroups", "NextToken", "mine"), 400, "InvalidParameter.NextToken")
	l.want(l.ali(primaryEBS, "DescribeDiskReplicaGroups", "PageSize", "101"), 400, "InvalidParameter.PageSize")
	l.want(l.ali(primaryEBS, "DescribeDiskReplicaGroups", "Site", "moon"), 400, "InvalidParameter.Site")
}

// Ten thousand groups are added in a moment, and each page of them is as cheap
// as the first.
func TestManyGroups(t *testing.T) {
	l := newLab(t, nil)
	const n = 10000
	for i := range n {
		must(t)(l.cloud.AddSDRS(cloudsim.SDRSGroup{Name: fmt.Sprint(i), Source: northA, Target: northB, Pairs: 1}))
	}
	for _, offset := range []int{0, n / 2, n - 3} {
		got := l.get(cloudsim.EndpointSDRS, fmt.Sprintf("%s?limit=3&offset=%d", sdrsGroups, offset)).list(t, "server_groups")
		if len(got) != 3 || got[0]["name"] != fmt.Sprint(offset) {
			t.Errorf("page at %d: %v", offset, got)
		}
	}
	l.want(l.get(cloudsim.EndpointSDRS, "/v1/{p}/replications?limit=1&offset=9999"), 200, `"count":10000`)
}
