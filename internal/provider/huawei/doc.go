// Package huawei holds what the three Huawei services share: a client for one
// endpoint and project that signs and sends through the core of the vendor's
// SDK, the vendor's error bodies, which of them prove that nothing happened, and
// reading JSON field by field so that one bad item never hides the others.
//
// It knows no service: paths, fields, states and preconditions are those of
// the packages sdrs, evs and dws. It looks nothing up: endpoint and project id
// come from the settings, and no call ever goes to IAM or to the metadata
// address of the machine.
package huawei
