package simtest_test

import "testing"

// TestFound plays the shortest schedules of what the stories have found wrong with the
// product and what was put right.
func TestFound(t *testing.T) {
	for _, found := range []struct{ what, plan string }{
		{
			"a vote that arrives late, behind newer ones, stands for ever: nobody has a quorum",
			"seed=1236, groups=huawei_sdrs; at=20s, what=lose, who=az-a, n=2; at=22s, what=late, step=store vote, last=7s",
		},
		{
			"the same of what a voter saw of the target site",
			"seed=2949, groups=huawei_sdrs; at=20s, what=mischief, step=store claim, n=4; at=30s, what=lose, who=az-a, n=1; at=52s, what=shape, last=1s, n=1048576; at=52s, what=late, last=6s",
		},
		{
			"nobody looked as the site was lost: what is lost was counted from before",
			"seed=287958, groups=huawei_dws; at=10s, what=lag, last=56s; at=24s, what=pause, who=obs-w, last=26s; at=50s, what=crash, who=obs-b; at=50s, what=lose, who=az-a",
		},
		{
			"the same, when it was lost, came back and was lost again",
			"seed=287958, groups=huawei_dws; at=10s, what=lag, last=56s; at=20s, what=lose, who=az-a; at=24s, what=pause, who=obs-w, last=26s; at=30s, what=back, who=az-a; at=50s, what=crash, who=obs-b; at=50s, what=lose, who=az-a",
		},
		{
			"the clock is put forward between an intent and its call, which is then signed for longer than its wait",
			"seed=1118795, groups=huawei_evs+huawei_sdrs; at=20s, what=mischief, step=store claim, n=8; at=20s, what=lose, who=az-a, n=1; at=30s, what=mute, whom=cloud, step=first_byte; at=57s, what=step, step=store write, last=1s, n=17408",
		},
	} {
		p, err := parsePlan(found.plan)
		if err != nil {
			t.Fatalf("%s: %v", found.what, err)
		}
		if w := play(t, p); len(w.violations) > 0 {
			t.Errorf("%s: %v\n%s", found.what, w.violations, w.text())
		}
	}
}
