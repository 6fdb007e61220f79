// Package cloudsim is the four clouds on loopback: Huawei SDRS, EVS replication
// consistency groups and DWS disaster recovery, and Alibaba Cloud EBS replica
// groups, one HTTP listener for each regional endpoint. It knows their wire:
// signatures, paths, fields, error bodies, pagination, which action is allowed
// in which state and what it does. It can lose a site, and it can answer as
// badly as real clouds do. Everything that moves, moves on an injected clock and
// is evaluated when somebody looks, so the same calls at the same times give the
// same answers.
//
// It was written from the vendors' API reference, without their SDKs, so that
// a client and its simulator cannot share one misreading. It knows nothing of
// drwatch's rules, incidents or store; it only writes drwatch a configuration
// that points at it.
package cloudsim
