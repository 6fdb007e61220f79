package strictyaml_test

import (
	"testing"

	"github.com/drwatch/drwatch/internal/strictyaml"
)

func TestSuggest(t *testing.T) {
	keys := []string{"agency", "domain", "duration", "endpoint", "role_arn", "session"}
	for written, want := range map[string]string{
		"agencies": "agency", "Agency": "agency", "domian": "domain", "durations": "duration", "endpiont": "endpoint",
		"role": "", "agent_identity": "", "age": "", "e": "", "": "",
	} {
		if want != "" {
			want = `, did you mean "` + want + `"?`
		}
		if got := strictyaml.Suggest(written, keys); got != want {
			t.Errorf("%q: got %q, want %q", written, got, want)
		}
	}
}
