// Package credentials knows where keys come from (files, the environment, the
// metadata service of the machine, whoever else gives out keys that end), how
// long they live, and how they are renewed before they end: one refresh at a
// time, while others go on with the old ones. It does not know what the keys are
// for, who may have them, or how a request is signed.
package credentials
