// Package huawei holds what the three Huawei services share: a client for one
// endpoint and project that signs and sends through the core of the vendor's
// SDK, the vendor's error bodies, which of them prove that nothing happened,
// reading JSON field by field so that one bad item never hides the others, and
// the keys of an agency.
//
// It knows no service: paths, fields, states and preconditions are those of
// the packages sdrs, evs and dws. It looks nothing up: endpoint and project id
// come from the settings. IAM is asked by an Assumer alone, and the metadata
// address of the machine by nothing.
package huawei
