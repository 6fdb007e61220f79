package cloudsim_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
)

// Of many failovers of one group at once, each cloud lets happen what the real
// one would: one, whatever it answers to the others.
func TestManyAtOnce(t *testing.T) {
	l := newLab(t, nil)
	sdrs := must(t)(l.cloud.AddSDRS(cloudsim.SDRSGroup{Source: northA, Target: northB, Pairs: 1}))
	ebs := must(t)(l.cloud.AddEBS(cloudsim.EBSGroup{Source: beijing, Target: shanghai, Pairs: 1}))
	requests := map[string][]*http.Request{}
	for i := range 20 {
		requests["sdrs"] = append(requests["sdrs"], l.huawei(cloudsim.EndpointSDRS, "POST", sdrsGroups+"/"+sdrs+"/action", failoverSDRS))
		requests["token"] = append(requests["token"], l.rpc(standbyEBS, "FailoverDiskReplicaGroup", "ReplicaGroupId", ebs, "ClientToken", "one"))
		requests["tokens"] = append(requests["tokens"], l.rpc(standbyEBS, "FailoverDiskReplicaGroup", "ReplicaGroupId", ebs, "ClientToken", fmt.Sprint(i)))
		requests["list"] = append(requests["list"], l.rpc(standbyEBS, "DescribeDiskReplicaGroups", "Site", "backup"))
	}
	var (
		wg       sync.WaitGroup
		mu       sync.Mutex
		accepted = map[string]int{}
	)
	for kind, list := range requests {
		for _, req := range list {
			wg.Go(func() {
				r, err := l.roundTrip(req)
				if err != nil {
					t.Errorf("%s: %v", kind, err)
				}
				mu.Lock()
				defer mu.Unlock()
				if r.status == 200 {
					accepted[kind]++
				}
			})
		}
	}
	wg.Wait()
	if accepted["sdrs"] != 1 || accepted["token"] != 20 || accepted["tokens"] != 20 || accepted["list"] != 20 {
		t.Errorf("accepted %v", accepted)
	}
	l.clock.move(time.Minute)
	l.wantFailovers(sdrs, 1)
	l.wantFailovers(ebs, 1)
}

func TestLatency(t *testing.T) {
	const latency = 50 * time.Millisecond
	l := newLab(t, func(o *cloudsim.Options) { o.Latency = latency })
	began := time.Now()
	l.want(l.get(cloudsim.EndpointSDRS, sdrsGroups), 200, "")
	if took := time.Since(began); took < latency {
		t.Errorf("answered after %s, want at least %s", took, latency)
	}
}

// Whatever is asked, by whomever, the simulator answers; a panic would show as
// a connection that breaks.
func FuzzRequests(f *testing.F) {
	ck := &clock{t: start}
	c, err := cloudsim.New(cloudsim.Options{Now: ck.now, Seed: 1})
	if err != nil {
		f.Fatal(err)
	}
	if err := c.Start(); err != nil {
		f.Fatal(err)
	}
	tr := &http.Transport{}
	f.Cleanup(func() { tr.CloseIdleConnections(); c.Close() })
	for _, add := range []func() (string, error){
		func() (string, error) {
			return c.AddSDRS(cloudsim.SDRSGroup{ID: "g", Source: northA, Target: northB, Pairs: 1})
		},
		func() (string, error) {
			return c.AddEVS(cloudsim.EVSGroup{ID: "e", Source: parisA, Target: parisB, Pairs: 1})
		},
		func() (string, error) { return c.AddDWS(cloudsim.DWSGroup{ID: "d", Source: northA, Target: northB}) },
		func() (string, error) {
			return c.AddEBS(cloudsim.EBSGroup{ID: "pg", Source: beijing, Target: shanghai, Pairs: 1})
		},
	} {
		if _, err := add(); err != nil {
			f.Fatal(err)
		}
	}
	f.Add("POST", "/server-groups/g/action", "", failoverSDRS, "")
	f.Add("GET", "/replications", "limit=10&offset=x&server_group_ids=['a','b']", "", "")
	f.Add("GET", "/os-vendor-replications", "marker=x&limit=-1", "", "")
	f.Add("POST", "", "Action=DescribeDiskReplicaGroups&NextToken=ZWJzOjE&MaxResults=1&Tag.1.Key=a", "", "")
	f.Add("GET", "/server-groups", "", "", "SDK-HMAC-SHA256 Access=, SignedHeaders=;;, Signature=")
	f.Add("POST", "", "Action=FailoverDiskReplicaGroup", "", "ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host,Signature=b")
	f.Fuzz(func(t *testing.T, method, path, query, body, authorization string) {
		for _, e := range cloudsim.DefaultEndpoints() {
			for _, version := range []string{"/v1/", "/v2/"} {
				u := &url.URL{Scheme: "http", Host: strings.TrimPrefix(c.URL(e.Name), "http://"), Path: version + cloudsim.ProjectID + path, RawQuery: query}
				req, err := http.NewRequest(method, u.String(), strings.NewReader(body))
				if err != nil {
					return // not a request at all
				}
				signHuawei(req, body, cloudsim.AccessKey, cloudsim.SecretKey, ck.now())
				if authorization != "" {
					req.Header.Set("Authorization", authorization)
				}
				if e.Name == cloudsim.EndpointEBS || e.Name == cloudsim.EndpointEBSStandby {
					if p, err := url.ParseQuery(query); err == nil && authorization == "" {
						p.Set("AccessKeyId", cloudsim.AccessKey)
						p.Set("SignatureNonce", fmt.Sprint(e.Name, version, query, body, path))
						for k, v := range map[string]string{
							"Version": "2021-07-30", "Format": "JSON", "SignatureMethod": "HMAC-SHA1",
							"SignatureVersion": "1.0", "Timestamp": ck.now().Format("2006-01-02T15:04:05Z"), "RegionId": e.Region,
						} {
							p.Set(k, v)
						}
						signRPC(p, cloudsim.SecretKey)
						req.URL.RawQuery = p.Encode()
					}
				}
				resp, err := tr.RoundTrip(req)
				if err != nil {
					if strings.Contains(err.Error(), "EOF") || strings.Contains(err.Error(), "reset") {
						t.Fatalf("%s %s: %v", method, u, err)
					}
					continue // the client itself refuses to send it
				}
				resp.Body.Close()
				if resp.StatusCode >= 500 {
					t.Errorf("%s %s: %s", method, u, resp.Status)
				}
			}
		}
		ck.move(time.Second)
	})
}
