package provider

import "github.com/drwatch/drwatch/internal/replication"

// CodeClass is what a vendor package makes of the error code in an answer. The
// tables of codes are the vendors'.
type CodeClass int

// The classes of an error code.
const (
	CodeUnknown   CodeClass = iota // none, or one that is not in the vendor's table
	CodeRefused                    // precondition, authorisation or not-found: nothing happened
	CodeThrottled                  // the documented code of a refusal for the rate: nothing happened
)

// Facts are what is known after one mutating call.
type Facts struct {
	// Sent is Exchange.Sent: false only when certainly no byte has left.
	Sent bool
	// Status is Exchange.Status, 0 when no response came.
	Status int
	// Whole tells that the answer was read to its end and could be decoded.
	Whole bool
	// Code is the class of the answer's error code.
	Code CodeClass
	// Proof tells that the answer has what only an accepted call has: a job id
	// (SDRS), an id (DWS), status exactly 200 (EVS), a request id and no error
	// code (EBS).
	Proof bool
}

// OutcomeOf says what is known of a mutating call. Only what is proven is named;
// everything else is Uncertain: a 5xx, a redirect, a 2xx without proof, a 4xx
// whose code nobody documents (a proxy can answer those after the provider
// acted), an answer that broke off.
func OutcomeOf(f Facts) replication.Outcome {
	switch {
	case !f.Sent:
		return replication.NotSent
	case !f.Whole:
		return replication.Uncertain
	case f.Status/100 == 2 && f.Proof && f.Code == CodeUnknown:
		return replication.Accepted
	case f.Status/100 == 4 && f.Code == CodeThrottled:
		return replication.Throttled
	case f.Status/100 == 4 && f.Status != 429 && f.Code == CodeRefused:
		return replication.Rejected
	}
	return replication.Uncertain
}
