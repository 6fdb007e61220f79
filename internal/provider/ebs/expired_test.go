package ebs_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A prepaid pair that has expired replicates no longer, whatever its status says:
// its group is not ready by the provider's clock, until it is renewed. Expiries
// that cannot be read are counted and hold nothing back.
func TestExpiredPairs(t *testing.T) {
	const here, there = 1767323045, 1767326645 // the provider's clock is an hour ahead
	for name, tt := range map[string]struct {
		charge  string // of the second pair
		date    bool   // the answer tells the provider's clock
		expired bool
		counted string
	}{
		"expired a second ago, by its clock":  {charge: fmt.Sprintf(`"ChargeType":"PREPAY","ExpiredTime":%d`, there-1), date: true, expired: true},
		"expires now":                         {charge: fmt.Sprintf(`"ChargeType":"PREPAY","ExpiredTime":%d`, there), date: true, expired: true},
		"expires in a second":                 {charge: fmt.Sprintf(`"ChargeType":"PREPAY","ExpiredTime":%d`, there+1), date: true},
		"expired by our clock, none is told":  {charge: fmt.Sprintf(`"ChargeType":"PREPAY","ExpiredTime":"%d"`, here), expired: true},
		"expires by our clock, none is told":  {charge: fmt.Sprintf(`"ChargeType":"PREPAY","ExpiredTime":%d`, here+1)},
		"pay as you go":                       {charge: fmt.Sprintf(`"ChargeType":"POSTPAY","ExpiredTime":%d`, here-1), date: true},
		"prepaid, the end is not told":        {charge: `"ChargeType":"PREPAY"`, date: true},
		"prepaid, the end cannot be read":     {charge: `"ChargeType":"PREPAY","ExpiredTime":"soon"`, date: true, counted: "ExpiredTime"},
		"what kind it is cannot be read":      {charge: `"ChargeType":["PREPAY"],"ExpiredTime":1`, date: true, counted: "ChargeType"},
		"prepaid, the end is no time of ours": {charge: `"ChargeType":"PREPAY","ExpiredTime":1767326645000`, date: true, counted: "ExpiredTime"},
	} {
		t.Run(name, func(t *testing.T) {
			pairs := strings.Replace(read(t, "pairs.json"), `"ReplicaPairId":"pair-2",`, `"ReplicaPairId":"pair-2",`+tt.charge+`,`, 1)
			if !strings.Contains(pairs, tt.charge) {
				t.Fatal("the sample has no second pair")
			}
			dated := func(answer string) http.HandlerFunc {
				return func(w http.ResponseWriter, _ *http.Request) {
					w.Header()["Date"] = nil
					if tt.date {
						w.Header().Set("Date", time.Unix(there, 0).UTC().Format(http.TimeFormat))
					}
					fmt.Fprint(w, answer)
				}
			}
			l, err := newReader(t, newCloud(t, map[string]http.HandlerFunc{
				"DescribeDiskReplicaGroups": dated(read(t, "groups.json")), "DescribeDiskReplicaPairs": dated(pairs),
			}).settings()).List(t.Context())
			if err != nil || len(l.Groups) != 1 {
				t.Fatalf("%d groups, %v", len(l.Groups), err)
			}
			if ready := l.Groups[0].FailoverReady(); ready == tt.expired {
				t.Errorf("ready is %t: %v", ready, l.Groups[0].Ready)
			}
			want := map[bool]string{false: "0 of 2 expired", true: "1 of 2 expired"}[tt.expired]
			for _, c := range l.Groups[0].Ready {
				if c.Name == "pairs_not_expired" && (c.Value != want || c.OK == tt.expired) {
					t.Errorf("%v, want %s", c, want)
				} else if c.Name != "pairs_not_expired" && !c.OK {
					t.Errorf("%v", c)
				}
			}
			if n := l.Bad[tt.counted]; tt.counted != "" && n != 1 || tt.counted == "" && len(l.Bad) != 0 {
				t.Errorf("counted %v, want %q", l.Bad, tt.counted)
			}
		})
	}
}
