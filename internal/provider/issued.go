package provider

// Issued are temporary keys as a cloud's token service gave them. Nothing of
// them is checked yet.
type Issued struct {
	Credentials
	Expires string // as the service writes it, RFC 3339; "" when not told
}
