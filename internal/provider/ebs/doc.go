// Package ebs reads the replication pair-consistent groups of Alibaba Cloud's
// Elastic Block Storage (product ebs, API version 2021-07-30), fails them over,
// and carries out what a person may ask of them.
//
// It signs and sends through alibaba-cloud-sdk-go and trusts nothing else of
// it: answers are decoded here, item by item, from the raw bytes, because one
// odd field would cost the SDK's caller the whole list, and `200 {}` would look
// like success. It also gets the keys of a RAM role from STS, by the same client.
// It knows the vendor's words (statuses, error codes, directions)
// and nothing of rules, votes or incidents.
package ebs
