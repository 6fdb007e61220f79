// Package breakglass fails one group over for a person while the coordination
// store has no majority. It knows the order of what keeps that from happening
// twice: the provider's state, an intent that is durable on this machine before
// the call, one call, and the proof that the provider shows. It knows nothing of
// votes, rules and other observers, and says so in its plan.
//
// What is lost without the store is the claim: two persons at two machines have
// two journals. The provider's own state is then the only guard between them.
package breakglass
