package ebs

import (
	"slices"
	"strings"

	"github.com/drwatch/drwatch/internal/provider"
)

// refusals are the documented codes of a request that changed nothing: the API
// page of FailoverDiskReplicaGroup, and the common codes of Alibaba's gateway.
// Each also stands for its family ("OperationDenied" for
// "OperationDenied.InvalidStatus"). SignatureNonceUsed is not among them: who
// sends it has seen the same request before.
var refusals = []string{
	"OperationDenied", "Forbidden", "NoPermission", "NoSuchResource",
	"InvalidAccessKeyId", "SignatureDoesNotMatch", "IncompleteSignature", "InvalidTimeStamp", "InvalidSecurityToken",
	"MissingParameter", "InvalidParameter", "InvalidAction", "UnsupportedOperation",
}

// throttles are the codes of a request refused for its rate.
var throttles = []string{"Throttling", "Rejected.Throttling"}

// notFound is the code for a group that does not exist.
const notFound = "NoSuchResource"

func classOf(code string) provider.CodeClass {
	family := func(name string) bool { return code == name || strings.HasPrefix(code, name+".") }
	switch {
	case slices.ContainsFunc(throttles, family):
		return provider.CodeThrottled
	case slices.ContainsFunc(refusals, family):
		return provider.CodeRefused
	}
	return provider.CodeUnknown
}
