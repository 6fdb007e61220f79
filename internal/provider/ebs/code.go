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

// denials are the codes of a call that this key, this region or this edition of
// the product does not have.
var denials = []string{"Forbidden", "NoPermission", "InvalidAction", "UnsupportedOperation"}

func denied(code string) bool { return slices.ContainsFunc(denials, family(code)) }

// family tells whether a name is the code, or stands for the code's family.
func family(code string) func(name string) bool {
	return func(name string) bool { return code == name || strings.HasPrefix(code, name+".") }
}

func classOf(code string) provider.CodeClass {
	switch {
	case slices.ContainsFunc(throttles, family(code)):
		return provider.CodeThrottled
	case slices.ContainsFunc(refusals, family(code)):
		return provider.CodeRefused
	}
	return provider.CodeUnknown
}
