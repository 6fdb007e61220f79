package provider

// KeysRefused is called when the provider did not take the keys of a request. It
// tells whoever keeps them, and says whether the request is worth another try:
// a read is when other keys are there by now, an action never.
func (s Settings) KeysRefused(op Op, used Credentials) (again bool) {
	if s.Refused != nil {
		s.Refused(used)
	}
	if op.Action {
		return false
	}
	now, err := s.Credentials()
	return err == nil && now != used
}
