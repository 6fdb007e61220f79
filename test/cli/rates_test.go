package cli_test

import (
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestThrottledAccount: a refusal for the rate slows the account down that it
// was for, and no other; a reload does not forget it, a new rate limit does.
func TestThrottledAccount(t *testing.T) {
	dir := t.TempDir()
	sim := start(t, dir, "sim", "--control.listen-address", "127.0.0.1:0")
	control := sim.find(t, regexp.MustCompile(`(http://\S+)/sim/sites/az-a/lose`))
	config := filepath.Join(dir, "sim/drwatch.yml")
	serve := start(t, dir, "serve", "--config.file", "sim/drwatch.yml", "--storage.path", "data", "--web.listen-address", "127.0.0.1:0")
	url := "http://" + serve.find(t, regexp.MustCompile(`msg="drwatch runs" addresses=\[([^\]]+)\]`))
	rate := func(account string) float64 {
		m := regexp.MustCompile(`drwatch_account_rate_limit_requests_per_second{account="` + account + `"} (\S+)`).FindStringSubmatch(get(t, url+"/metrics"))
		if m == nil {
			return 0
		}
		v, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	serve.eventually(t, "every account has its whole rate", func() bool { return rate("sdrs") == 10 && rate("ebs") == 10 && rate("dws") == 10 })

	// The way back up takes a minute, far longer than this test.
	ask(t, http.MethodPost, control+"/sim/faults", `{"operation":"ListProtectionGroups","count":1,"answer":"throttled"}`)
	ask(t, http.MethodPost, control+"/sim/faults", `{"operation":"DescribeDiskReplicaGroups","count":1,"answer":"throttled"}`)
	serve.eventually(t, "the refused accounts are slower", func() bool { return rate("sdrs") < 10 && rate("ebs") < 10 })
	if v := rate("sdrs"); v < 5 {
		t.Errorf("one refusal left %g requests per second of 10, want half or more", v)
	}
	if v := rate("dws"); v != 10 {
		t.Errorf("an account that was not refused has %g requests per second", v)
	}

	post(t, url+"/-/reload")
	if v := rate("sdrs"); v < 5 || v >= 10 {
		t.Errorf("after a reload the rate is %g: what a refusal told was forgotten", v)
	}
	write(t, config, strings.Replace(read(t, config), "      project_id:", "      rate_limit: {requests_per_second: 7}\n      project_id:", 1))
	post(t, url+"/-/reload")
	if v := rate("sdrs"); v != 7 {
		t.Errorf("after a reload with another rate limit the rate is %g, want 7", v)
	}
	if code := serve.stop(t); code != 0 {
		t.Errorf("serve ended with %d at SIGTERM:\n%s", code, serve.said())
	}
}
